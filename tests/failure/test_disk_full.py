"""A disk without room: reads go on, writes are refused, and all goes on when there is room."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.access import usage
from models.access.usage import ApiUsage
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.store.base import database
from tests import stores
from tests.failure.disks import fill, grow, small_disk
from tests.failure.shops import Shop, command, is_away, is_away_for_rest, shop
from tests.metric_texts import scraped, value
from tests.serving import Server, processes, request_bytes, served, wait_for_workers
from tests.waiting import wait_until

pytestmark = stores.about_sqlite
MEBIBYTES = 16
WRITES = 2000
"""How many writes an empty disk of this size may take at most before it is full."""
USAGE_ROWS = 20
SIZE = 200_000
"""Codes that need several transactions and more room than the disk has."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path, MEBIBYTES) as place:
        yield place


@pytest.fixture
def ours(disk: Path) -> Iterator[Shop]:
    """Keep a shop on the small disk."""
    with shop(f"sqlite:///{disk}/store.db") as made:
        yield made


@pytest.fixture
def server(ours: Shop, disk: Path, tmp_path: Path) -> Iterator[Server]:
    """Serve the shop; its temporary files are on the same disk."""
    with served(
        tmp_path,
        PROMOBRIDGE_DATABASE_URL=ours.url,
        PROMOBRIDGE_USAGE_LOG_SECONDS="1",
        PROMOBRIDGE_USAGE_LOG_ROWS=str(USAGE_ROWS),
        PROMOBRIDGE_JOB_WORKERS="0",
        TMPDIR=str(disk),
    ) as running:
        wait_until(lambda: value(scraped(running), "processes") == 2)
        yield running
        assert running.log().count("Booting worker") == 2  # none had to be replaced
        assert "Traceback" not in running.log()


def test_both_faces_answer_503_read_on_and_recover(ours: Shop, server: Server, disk: Path) -> None:
    filler = fill(disk)
    # What the log has room for already is used up first.
    assert any(is_away(ours.redeem(server)) for _ in range(WRITES))
    assert is_away_for_rest(ours.rest_redeem(server))
    assert is_away_for_rest(
        ours.rest(
            server, "POST", "/campaigns/codes/generate", slug="summer", batchSize=100, pointsValue=1
        )
    )
    assert ours.ask(server, "getPromoDetailsByCode", code=ours.codes[0]).value["success"]
    (batch,) = ours.ask(server, "listPromoBatches").value["batches"]
    assert len(batch["coupons"]) == len(ours.codes)
    assert ours.rest(server, "GET", "/campaigns/codes/stats?slug=summer").status == 200
    for path in ("/healthz", "/readyz", "/metrics"):
        assert server.send(request_bytes("GET", path)).status == 200
    ours.assert_whole()
    filler.unlink()
    assert not is_away(ours.redeem(server))
    assert not is_away_for_rest(ours.rest_redeem(server))
    ours.assert_whole()


def test_a_key_of_a_refused_write_is_free(ours: Shop, server: Server, disk: Path) -> None:
    filler = fill(disk)
    assert any(is_away(ours.redeem(server)) for _ in range(WRITES))
    again = {"code": ours.codes[1], "idempotency_key": "one", "order_id": 7}
    assert is_away(ours.ask(server, "redeemPromoCode", **again))
    filler.unlink()
    first = ours.ask(server, "redeemPromoCode", **again)
    assert first.value["success"], first
    assert ours.ask(server, "redeemPromoCode", **again).body == first.body
    ours.used += 1
    ours.assert_whole()


def test_calls_are_answered_while_the_usage_log_has_no_room(
    ours: Shop, server: Server, disk: Path
) -> None:
    filler = fill(disk)
    asked = 0

    def ask() -> bool:
        nonlocal asked
        asked += 1
        assert ours.ask(server, "getHostBillversion").value["success"]
        return value(scraped(server), "usage_log_dropped_total") > USAGE_ROWS

    wait_until(ask)
    assert "The usage log cannot be written" in server.log()
    filler.unlink()

    def gaps() -> list[int]:
        rows = ApiUsage.select().where(ApiUsage.message.startswith("calls that were not logged: "))
        return [int(row.message.rpartition(" ")[2]) for row in rows]

    # A process whose calls wait shows them when its thread next looks, and writes them then.
    wait_until(lambda: usage.total() - len(gaps()) + sum(gaps()) == asked)
    wait_until(lambda: value(scraped(server), "usage_log_waiting") == 0)
    assert sum(gaps()) == value(scraped(server), "usage_log_dropped_total")


def test_a_killed_worker_has_a_successor(ours: Shop, disk: Path, tmp_path: Path) -> None:
    with served(
        tmp_path,
        PROMOBRIDGE_DATABASE_URL=ours.url,
        PROMOBRIDGE_JOB_WORKERS="0",
        TMPDIR=str(disk),
    ) as server:
        fill(disk)
        server.process.send_signal(1)  # a reload: both are replaced
        wait_for_workers(server, 2, but=server.workers)
        wait_until(lambda: server.workers.isdisjoint(processes(server)))
        assert ours.ask(server, "getPromoDetailsByCode", code=ours.codes[0]).value["success"]
        wait_until(lambda: value(scraped(server), "processes") == 2)  # they need no disk


def test_the_write_ahead_log_waits_for_room(ours: Shop, disk: Path) -> None:
    """What it holds cannot move into the file, is there all the same, and moves later."""
    with sqlite3.connect(disk / "store.db") as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM coupon").fetchone()  # holds the log where it is
        with database.atomic():
            row = Coupon.select().dicts().first() | {"batch_id": 0, "live": None}
            del row["id"]
            Coupon.insert_many([row] * 5000).execute()
            database.execute_sql("UPDATE tally SET n = n + 5000 WHERE name = 'single_coupons'")
            database.execute_sql("UPDATE tally SET n = n + 5000 WHERE name = 'coupons'")
        filler = fill(disk)
        reader.rollback()
    reader.close()
    size = (disk / "store.db").stat().st_size
    with pytest.raises(Exception, match=r"full|disk I/O error"):
        database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    assert Coupon.select().count() == 5000 + 40
    filler.unlink()
    assert database.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    assert (disk / "store.db").stat().st_size > size
    assert database.execute_sql("PRAGMA integrity_check").fetchone() == ("ok",)
    assert Coupon.select().count() == 5000 + 40


def test_a_generation_stops_with_a_sentence_and_goes_on(
    ours: Shop, disk: Path, tmp_path: Path
) -> None:
    words = ("--name", "Large", "--value", "5", "--size", str(SIZE))
    stopped = command(tmp_path, ours.url, "batch", "generate", *words)
    assert stopped.returncode == 1
    batch = Batch.select().order_by(Batch.id.desc()).first()
    assert batch.made < SIZE
    assert stopped.stdout == ""
    assert stopped.stderr.splitlines() == [
        f"To finish it: promobridge batch generate --resume {batch.id}",
        "Error: The store cannot be reached: database or disk is full",
    ]
    ours.assert_whole()
    grow(disk, 200)
    resumed = command(tmp_path, ours.url, "batch", "generate", "--resume", str(batch.id))
    assert resumed.returncode == 0, resumed.stderr
    assert Coupon.select().where(Coupon.batch_id == batch.id).count() == SIZE
    checked = command(tmp_path, ours.url, "db", "check")
    assert checked.stdout == "All counts are right.\n"


def test_an_export_leaves_no_part_of_a_file(ours: Shop, disk: Path, tmp_path: Path) -> None:
    before = sorted(disk.iterdir())
    filler = fill(disk)
    file = disk / "codes.csv"
    refused = command(tmp_path, ours.url, "batch", "export", "2", "--output", str(file))
    assert refused.returncode == 1
    assert refused.stderr == f"Error: {file} cannot be written: No space left on device\n"
    filler.unlink()
    assert sorted(disk.iterdir()) == before


def test_an_export_to_a_full_device_says_so(ours: Shop, tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        refused = command(
            tmp_path,
            ours.url,
            *("batch", "export", "2"),
            capture_output=False,
            stdout=full,
            stderr=-1,
        )
    assert refused.returncode == 1
    assert refused.stderr == "Error: The output cannot be written: No space left on device\n"


def test_a_store_cannot_be_made_without_room(disk: Path, tmp_path: Path) -> None:
    fill(disk)
    url = f"sqlite:///{disk}/new.db"
    refused = command(tmp_path, url, "db", "upgrade")
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: The store cannot be reached: ")
    assert len(refused.stderr.splitlines()) == 1
    grow(disk, MEBIBYTES + 8)
    assert command(tmp_path, url, "db", "upgrade").returncode == 0
