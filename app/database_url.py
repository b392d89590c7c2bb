"""Make the database engine that a URL names."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from playhouse import db_url

from app.config import BadSetting
from models.store.engine import Engine
from models.store.servers import DEAD_PEER_SECONDS, KEPT_ALIVE_SECONDS, Mariadb, Postgresql

CONNECT_SECONDS, HOST_SECONDS = 5, 2
"""How long a server may take to answer a new connection; the latter where there are others."""
LOCK_SECONDS = 5
"""How long a row is waited for in a cluster before the transaction is run again."""
POSTGRESQL_PORT, MARIADB_PORT = 5432, 3306
HostPort = tuple[str, int | None]
COMMON = frozenset({"user", "password", "host", "port", "hosts", "database"})
STATEMENT_SECONDS = 600
"""How long a statement may run: one that changes every code of a huge batch takes minutes."""


@dataclass(frozen=True)
class EngineSpec:
    """Describe a database server: its engine, its driver and its own URL options."""

    engine: Callable[..., Engine]
    driver: str
    extra: str
    options: frozenset[str]


def _postgresql(wait_seconds: int, hosts: Sequence[HostPort] = (), **parameters: Any) -> Engine:
    if hosts:  # libpq's own way to name several
        parameters["host"] = ",".join(host for host, _ in hosts)
        parameters["port"] = ",".join(str(port or POSTGRESQL_PORT) for _, port in hosts)
    session = {
        "timezone": "UTC",
        "lock_timeout": f"{wait_seconds}s",
        "statement_timeout": f"{STATEMENT_SECONDS}s",
    }
    return Postgresql(
        max_connections=0,
        prefer_psycopg3=True,
        client_encoding="utf8",
        application_name="promobridge",
        connect_timeout=HOST_SECONDS if hosts else CONNECT_SECONDS,
        keepalives_idle=KEPT_ALIVE_SECONDS,
        tcp_user_timeout=DEAD_PEER_SECONDS * 1000,
        options=" ".join(f"-c {name}={value}" for name, value in session.items()),
        **parameters,
    )


def _mariadb(wait_seconds: int, hosts: Sequence[HostPort] = (), **parameters: Any) -> Engine:
    from pymysql.constants import CLIENT, FIELD_TYPE
    from pymysql.converters import conversions

    session = {
        "time_zone": "'+00:00'",
        "tx_isolation": "'READ-COMMITTED'",
        # A node that gives its data to another one (by rsync) holds whoever holds a row.
        "innodb_lock_wait_timeout": min(wait_seconds, LOCK_SECONDS) if hosts else wait_seconds,
        "lock_wait_timeout": wait_seconds,
        "max_statement_time": STATEMENT_SECONDS,
        "default_storage_engine": "InnoDB",
        # A node of a cluster first takes over what others have answered: who redeemed a code on
        # one host and asks the next sees it.
        "wsrep_sync_wait": 1,
    }
    return Mariadb(
        max_connections=0,
        charset="utf8mb4",
        collation=Mariadb.collation,
        sql_mode="TRADITIONAL",  # what does not fit is refused, not cut off
        client_flag=CLIENT.FOUND_ROWS,  # an UPDATE tells how many rows it met, as elsewhere
        conv={**conversions, FIELD_TYPE.NEWDECIMAL: int},  # sums: no column is of this type
        connect_timeout=HOST_SECONDS if hosts else CONNECT_SECONDS,
        init_command="SET " + ", ".join(f"{name} = {value}" for name, value in session.items()),
        **parameters,
    ).with_hosts([(host, port or MARIADB_PORT) for host, port in hosts])


POSTGRESQL = EngineSpec(
    engine=_postgresql,
    driver="psycopg",
    extra="postgres",
    options=frozenset(
        {"host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey", "target_session_attrs"}
    ),
)
MARIADB = EngineSpec(
    engine=_mariadb,
    driver="pymysql",
    extra="mysql",
    options=frozenset({"unix_socket", "ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_identity"}),
)
SERVERS = {"postgresql": POSTGRESQL, "postgres": POSTGRESQL, "mysql": MARIADB, "mariadb": MARIADB}
"""The engines by the scheme of their URLs."""


def engine(url: str, wait_seconds: int, name: str) -> Engine:
    """Return the engine for the URL of a server; no connection is made yet.

    A writer waits for another one for `wait_seconds`. `name` is what refusals call the URL, of
    which they show nothing: it may hold a password. Raises BadSetting.
    """
    server = SERVERS.get(scheme(url))
    if server is None:
        raise BadSetting(f"{name} must begin with sqlite:///, postgresql:// or mysql://")
    try:
        parameters = _parsed(url)
    except ValueError:
        parameters = {}
    if not parameters.get("database"):
        raise BadSetting(
            f"{name} must be like {scheme(url)}://USER:PASSWORD@HOST/DATABASE, "
            "with %-codes for / : @ ? # in the password"
        )
    if parameters.keys() - COMMON - server.options:
        known = ", ".join(sorted(server.options))
        raise BadSetting(f"{name} knows no option of this name; there are: {known}")
    if importlib.util.find_spec(server.driver) is None:
        raise BadSetting(f"{name} needs a driver: run pip install 'promobridge[{server.extra}]'")
    return server.engine(wait_seconds, **parameters).waiting(wait_seconds)


def _parsed(url: str) -> dict[str, Any]:
    """Parse the URL; `hosts` is there when it names several. Raises ValueError."""
    parts = urlsplit(url)
    user, at, names = parts.netloc.rpartition("@")
    hosts = [urlsplit(f"//{name}") for name in names.split(",")]
    # Under any other scheme peewee may call the password otherwise.
    one = parts._replace(scheme="postgresql", netloc=user + at + hosts[0].netloc).geturl()
    parameters: dict[str, Any] = db_url.parse(one, unquote_password=True, unquote_user=True)
    if len(hosts) > 1:
        if not all(host.hostname for host in hosts):
            raise ValueError("a host without a name")
        parameters["hosts"] = [(host.hostname, host.port) for host in hosts]
    return parameters


def scheme(url: str) -> str:
    """Return what a URL begins with, in lower case."""
    return url.partition(":")[0].lower()
