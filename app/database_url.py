"""From the URL of a database to the engine that opens it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playhouse import db_url

from app.config import BadSetting
from models.engines import DEAD_PEER_SECONDS, KEPT_ALIVE_SECONDS, Engine, Mariadb, Postgresql

CONNECT_SECONDS = 5
"""How long a server may take to answer a new connection."""
STATEMENT_SECONDS = 600
"""How long a statement may run: one that changes every code of a huge batch takes minutes."""


@dataclass(frozen=True)
class Server:
    """Describe an engine that is a server: its driver, and what a URL may say beyond the place."""

    driver: str
    extra: str
    example: str
    options: frozenset[str]
    engine: Callable[..., Engine]


def _postgresql(wait_seconds: int, **place: Any) -> Engine:
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
        connect_timeout=CONNECT_SECONDS,
        keepalives_idle=KEPT_ALIVE_SECONDS,
        tcp_user_timeout=DEAD_PEER_SECONDS * 1000,
        options=" ".join(f"-c {name}={value}" for name, value in session.items()),
        **place,
    )


def _mariadb(wait_seconds: int, **place: Any) -> Engine:
    from pymysql.constants import CLIENT, FIELD_TYPE
    from pymysql.converters import conversions

    session = {
        "time_zone": "'+00:00'",
        "tx_isolation": "'READ-COMMITTED'",
        "innodb_lock_wait_timeout": wait_seconds,
        "lock_wait_timeout": wait_seconds,
        "max_statement_time": STATEMENT_SECONDS,
        "default_storage_engine": "InnoDB",
    }
    return Mariadb(
        max_connections=0,
        charset="utf8mb4",
        collation=Mariadb.collation,
        sql_mode="TRADITIONAL",  # what does not fit is refused, not cut off
        client_flag=CLIENT.FOUND_ROWS,  # an UPDATE tells how many rows it met, as elsewhere
        conv={**conversions, FIELD_TYPE.NEWDECIMAL: int},  # sums: no column is of this type
        connect_timeout=CONNECT_SECONDS,
        init_command="SET " + ", ".join(f"{name} = {value}" for name, value in session.items()),
        **place,
    )


POSTGRESQL = Server(
    driver="psycopg",
    extra="postgres",
    example="postgresql://USER:PASSWORD@HOST/DATABASE",
    options=frozenset(
        {"host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey", "target_session_attrs"}
    ),
    engine=_postgresql,
)
MARIADB = Server(
    driver="pymysql",
    extra="mysql",
    example="mysql://USER:PASSWORD@HOST/DATABASE",
    options=frozenset({"unix_socket", "ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_identity"}),
    engine=_mariadb,
)
SERVERS = {
    "postgresql": POSTGRESQL,
    "postgres": POSTGRESQL,
    "mysql": MARIADB,
    "mariadb": MARIADB,
}
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
        place = db_url.parse(url, unquote_password=True, unquote_user=True)
    except ValueError:
        place = {}
    # Not every scheme of ours is known there, where the password has two names.
    if "passwd" in place:
        place["password"] = place.pop("passwd")
    if not place.get("database"):
        raise BadSetting(
            f"{name} must be like {server.example}, with %-codes for / : @ ? # in the password"
        )
    unknown = place.keys() - {"user", "password", "host", "port", "database"} - server.options
    if unknown:
        raise BadSetting(
            f"{name} knows no option of this name; there are: {', '.join(sorted(server.options))}"
        )
    if importlib.util.find_spec(server.driver) is None:
        raise BadSetting(f"{name} needs a driver: run pip install 'promobridge[{server.extra}]'")
    return server.engine(wait_seconds, **place).waiting(wait_seconds)


def scheme(url: str) -> str:
    """Return what a URL begins with, in lower case."""
    return url.partition(":")[0].lower()
