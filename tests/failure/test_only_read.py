"""A store that takes no writes: reads are answered as ever, writes are refused in the envelope."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import pytest

from models.access.usage import ApiUsage
from models.promotions import coupons
from models.promotions.coupons import Coupon
from models.promotions.expiry import Sweep
from models.promotions.terms import Terms
from models.store import clock
from models.store.base import database
from models.store.servers import Mariadb
from tests import stores
from tests.failure.disks import only_read, small_disk
from tests.failure.shops import Shop, command, is_away, is_away_for_rest, shop
from tests.serving import Server, request_bytes, served
from tests.waiting import wait_until

MEBIBYTES = 16
WORDS = ("batch", "generate", "--name", "N", "--value", "1", "--size", "3")
NEW = {"name": "N", "size": 3, "coupon_type": "cart", "type": "percent", "value": 1}


def due_today(ours: Shop) -> None:
    """Let the daily sweep have something to do, and not have been done."""
    today = clock.today(ZoneInfo("UTC"))
    coupons.add("EXPIRED", Terms.of(expires=today - timedelta(days=1)), live=True)
    Sweep.update(day=today - timedelta(days=2)).execute()


def assert_only_reads(ours: Shop, server: Server) -> None:
    """Ask both APIs for reads, which succeed, and writes, which do not."""
    (batch,) = ours.ask(server, "listPromoBatches").value["batches"]
    assert len(batch["coupons"]) == len(ours.codes)
    assert ours.ask(server, "getPromoDetailsByCode", code="EXPIRED").value["success"]
    assert ours.ask(server, "validatePromoCode", code=ours.codes[0]).value["valid"]
    assert ours.rest(server, "GET", "/campaigns/codes/stats?slug=summer").status == 200
    verified = ours.rest(server, "POST", "/campaigns/codes/verify", code=ours.campaign_codes[0])
    assert verified.status == 200
    assert is_away(ours.redeem(server))
    assert is_away(ours.ask(server, "addPromoBatch", **NEW))
    assert is_away_for_rest(ours.rest_redeem(server))
    for path in ("/healthz", "/readyz", "/metrics"):
        assert server.send(request_bytes("GET", path)).status == 200
    assert "Expired codes could not be made inactive" in server.log()
    assert "Internal error" not in server.log()
    assert "A request failed" not in server.log()


@stores.about_sqlite
def test_a_file_system_that_is_only_read(tmp_path: Path) -> None:
    """Another process has the store open where it can be written."""
    with (
        small_disk(tmp_path, MEBIBYTES) as disk,
        shop(f"sqlite:///{disk}/store.db") as ours,
        only_read(disk) as there,
    ):
        due_today(ours)
        url = f"sqlite:///{there}/store.db"
        with served(
            tmp_path, PROMOBRIDGE_DATABASE_URL=url, PROMOBRIDGE_USAGE_LOG_SECONDS="1"
        ) as server:
            assert_only_reads(ours, server)
            wait_until(lambda: "The usage log cannot be written" in server.log())
        refused = command(tmp_path, url, *WORDS)
        assert refused.returncode == 1
        assert refused.stderr.splitlines() == [
            "Error: The store cannot be reached: attempt to write a readonly database"
        ]
        shown = command(tmp_path, url, "batch", "list")
        assert shown.returncode == 0, shown.stderr
        assert command(tmp_path, url, "db", "check").stdout == "All counts are right.\n"
        ours.assert_whole()


@stores.about_sqlite
def test_a_server_does_not_start_on_a_file_that_it_cannot_open(tmp_path: Path) -> None:
    """Nobody has it open, and what SQLite needs beside it cannot be made."""
    with small_disk(tmp_path, MEBIBYTES) as disk:
        with shop(f"sqlite:///{disk}/store.db"):
            pass
        with only_read(disk) as there:
            url = f"sqlite:///{there}/store.db"
            refused = command(tmp_path, url, "serve", "--bind", "127.0.0.1:0")
    assert refused.returncode == 1
    assert refused.stderr.splitlines() == [
        "Error: The store cannot be reached: unable to open database file"
    ]


@contextmanager
def read_only_database() -> Iterator[None]:
    """Let new sessions of the bound PostgreSQL database only read; those there are end."""
    name = database.execute_sql("SELECT current_database()").fetchone()[0]
    database.execute_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    stores.end_others(database)
    try:
        yield
    finally:
        database.execute_sql("SET default_transaction_read_only = off")
        database.execute_sql(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        stores.end_others(database)


@contextmanager
def read_only_server() -> Iterator[None]:
    """Let the MariaDB server take writes of nobody but its administrators."""
    database.execute_sql("SET GLOBAL read_only = 1")
    try:
        yield
    finally:
        database.execute_sql("SET GLOBAL read_only = 0")


@contextmanager
def plain_user(url: str) -> Iterator[str]:
    """Yield the URL with a user who is no administrator, whom no MariaDB would refuse a write."""
    if not isinstance(database.obj, Mariadb):
        yield url
        return
    parts = urlsplit(url)
    name = f"tests_{getpass.getuser()}"
    database.execute_sql(f"CREATE OR REPLACE USER {name}@'%%' IDENTIFIED BY 'password'")
    database.execute_sql(f"GRANT ALL ON `{parts.path[1:]}`.* TO {name}@'%%'")
    try:
        place = f"{name}:password@{parts.hostname}:{parts.port}"
        yield urlunsplit(parts._replace(netloc=place))
    finally:
        database.execute_sql(f"DROP USER {name}@'%%'")


@pytest.mark.skipif(stores.SQLITE, reason="about servers")
def test_a_database_server_that_takes_no_writes(tmp_path: Path) -> None:
    with shop(stores.url(tmp_path)) as ours, plain_user(ours.url) as url:
        due_today(ours)
        only: Callable[[], AbstractContextManager[None]] = (
            read_only_server if isinstance(database.obj, Mariadb) else read_only_database
        )
        with served(
            tmp_path, PROMOBRIDGE_DATABASE_URL=url, PROMOBRIDGE_USAGE_LOG_SECONDS="1"
        ) as server:
            with only():
                assert_only_reads(ours, server)
                assert Coupon.get(Coupon.code == "EXPIRED").active
                wait_until(lambda: "The usage log cannot be written" in server.log())
                refused = command(tmp_path, url, *WORDS)
                assert refused.returncode == 1
                assert refused.stderr.startswith("Error: The store cannot be reached: ")
                assert len(refused.stderr.splitlines()) == 1
                ours.assert_whole()
            wait_until(lambda: not is_away(ours.redeem(server)))
            assert not is_away_for_rest(ours.rest_redeem(server))
            # Swept now or in a minute, as the worker that is met has tried before or not.
            asked = ours.ask(server, "validatePromoCode", code="EXPIRED").value
            assert (asked["valid"], asked["reason"]) == (False, "code_expired")
            ours.assert_whole()
            wait_until(lambda: ApiUsage.select().where(~ApiUsage.success).exists())
