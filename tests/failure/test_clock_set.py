"""A clock that is set back, or was ahead for a while: nothing comes back, runs twice or is held up.

A server's clock is set in its process; in the test's own it is `models.store.clock`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.config import Settings
from models.campaigns import campaign_making, campaigns, jobs
from models.campaigns.campaign_making import Plan
from models.campaigns.jobs import HANDING_OUT_SECONDS, Job
from models.checks import recount
from models.promotions import coupons, expiry
from models.promotions.campaign_counts import Owner
from models.promotions.expiry import Sweep
from models.promotions.terms import Terms
from models.store import clock, idempotency
from models.store.base import database
from models.store.errors import Conflict
from models.store.idempotency import KEPT_SECONDS, Reply
from models.store.servers import Mariadb, Postgresql
from models.store.sqlite import Sqlite
from tests import stores
from tests.failure.shops import Shop, shop
from tests.recount import assert_counts_are_right
from tests.serving import ROOT, Server, served
from tests.waiting import wait_until

NOON = 1_700_000_000
DAY = 86_400
YEARS = 10 * 365 * DAY
ONLY_READS = {
    Sqlite: ("PRAGMA query_only = 1", "PRAGMA query_only = 0"),
    Postgresql: (
        "SET default_transaction_read_only = on",
        "SET default_transaction_read_only = off",
    ),
    Mariadb: ("SET SESSION TRANSACTION READ ONLY", "SET SESSION TRANSACTION READ WRITE"),
}
"""What lets a session take no writes, and take them again."""
CLOCK = """
import time
true = time.time
def told():
    with open({file!r}) as file:
        return true() + int(file.read())
time.time = told
"""
"""What Python runs first: of all that tells time only this can be set, as by `date --set`."""
SetClock = Callable[[int], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch, store: Settings) -> SetClock:
    """Return what sets the clock to a moment; the one that nobody sets goes on."""

    def at(moment: int) -> None:
        monkeypatch.setattr(clock, "now", lambda: moment)

    at(NOON)
    Sweep.update(day=datetime.fromtimestamp(NOON, UTC).date()).execute()
    return at


def sweep() -> int:
    return expiry.expire_due(clock.today(UTC))


def expiring(code: str, days: int) -> None:
    coupons.add(code, Terms.of(expires=clock.today(UTC) + timedelta(days=days)), live=True)


def active(code: str) -> bool:
    return bool(coupons.by_code(code).active)


def test_what_expired_stays_so_when_the_clock_goes_back(set_clock: SetClock) -> None:
    expiring("SOON", 1)
    set_clock(NOON + 2 * DAY)
    assert sweep() == 1
    for moment in (NOON + DAY, NOON - 30 * DAY, 0, NOON + 3 * DAY):
        set_clock(moment)
        assert sweep() == 0
        assert not active("SOON")
    assert_counts_are_right()


def test_a_clock_that_was_ahead_holds_up_no_later_sweep(set_clock: SetClock) -> None:
    set_clock(NOON + YEARS)
    sweep()
    set_clock(NOON)
    expiring("NEXT", 1)
    sweep()
    set_clock(NOON + 2 * DAY)
    assert sweep() == 1
    assert not active("NEXT")
    assert_counts_are_right()


def test_a_clock_without_battery_changes_nothing(set_clock: SetClock) -> None:
    """What had expired when it was imported is as it was imported, as before."""
    expiring("IMPORTED", -5)
    for moment in (0, NOON, NOON + DAY):
        set_clock(moment)
        assert sweep() == 0
    assert active("IMPORTED")


def test_a_store_that_was_away_is_asked_again_though_the_clock_went_back(
    set_clock: SetClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expiring("SOON", 1)
    set_clock(NOON + 10 * DAY)
    refuse, allow = ONLY_READS[type(database.obj)]
    database.execute_sql(refuse)
    assert sweep() == 0
    database.execute_sql(allow)
    assert "could not be made inactive" in caplog.text
    set_clock(NOON + 5 * DAY)
    elapsed = clock.elapsed
    monkeypatch.setattr(clock, "elapsed", lambda: elapsed() + expiry.RETRY_SECONDS)
    assert sweep() == 1


def test_a_key_runs_once_and_ends_a_day_after_the_clock_was_set_back(set_clock: SetClock) -> None:
    def first() -> Reply:
        return Reply(b"first")

    def second() -> Reply:
        return Reply(b"second")

    set_clock(NOON + YEARS)
    idempotency.once("redeem a1", "key", "digest", first)
    set_clock(NOON)
    assert idempotency.once("redeem a1", "key", "digest", second).body == b"first"
    set_clock(NOON + KEPT_SECONDS - 1)
    assert idempotency.once("redeem a1", "key", "digest", second).body == b"first"
    set_clock(NOON + KEPT_SECONDS)
    assert idempotency.once("redeem a1", "key", "digest", second).body == b"second"


def test_a_download_that_broke_off_is_not_locked_for_years(set_clock: SetClock) -> None:
    set_clock(NOON + YEARS)
    campaign = campaigns.add(Owner(), "summer", "Summer")
    job = jobs.add(campaign, 10, Plan(1, None, None))
    jobs.work(job)
    job = Job.get_by_id(job.id)
    jobs.hand_out(job)
    set_clock(NOON + YEARS - 1)  # a small correction ends no claim
    with pytest.raises(Conflict):
        jobs.hand_out(job)
    set_clock(NOON)
    jobs.hand_out(job)
    with pytest.raises(Conflict):
        jobs.hand_out(job)
    set_clock(NOON + HANDING_OUT_SECONDS + 1)
    jobs.hand_out(job)
    assert len(list(campaign_making.codes_of(job.batch))) == 10


@contextmanager
def served_by_a_clock(folder: Path, ours: Shop) -> Iterator[Server]:
    """Serve the shop by a clock that the file `clock` in the folder sets, in seconds from ours."""
    (folder / "sitecustomize.py").write_text(CLOCK.format(file=str(folder / "clock")))
    with served(
        folder,
        PROMOBRIDGE_DATABASE_URL=ours.url,
        PROMOBRIDGE_USAGE_LOG_SECONDS="1",
        PROMOBRIDGE_WRONG_CODES_PER_MINUTE="1",
        PROMOBRIDGE_LOCKOUT_SECONDS="1",
        PYTHONPATH=f"{folder}:{ROOT}",
    ) as server:
        yield server


def test_a_server_lives_through_a_clock_that_jumps(tmp_path: Path) -> None:
    times = tmp_path / "clock"
    times.write_text("0")

    def set_by(days: int) -> None:
        (tmp_path / "next").write_text(str(days * DAY))
        (tmp_path / "next").rename(times)

    with shop(stores.url(tmp_path)) as ours, served_by_a_clock(tmp_path, ours) as server:

        def is_answered(arguments: dict[str, Any], status: int) -> bool:
            return ours.ask(server, "validatePromoCode", **arguments).status == status

        for days in (0, 400, -400, 0):
            set_by(days)
            told = ours.ask(server, "getHostBillversion").value["server_time"]
            assert abs(told - clock.now() - days * DAY) < DAY
            assert ours.redeem(server).value["success"]
            assert ours.rest_redeem(server).status < 300
            key = {"code": ours.codes[1], "idempotency_key": "key", "order_id": 1}
            first = ours.ask(server, "redeemPromoCode", **key)
            assert first.value["success"]
            assert ours.ask(server, "redeemPromoCode", **key).body == first.body
            # Each finds the client locked out by the one before, for a second.
            unknown = {"code": "UNKNOWN", "client_id": 1}
            wait_until(partial(is_answered, unknown, 429))
            set_by(days - 1)
            right = unknown | {"code": ours.codes[0]}
            wait_until(partial(is_answered, right, 200))
        assert server.log().count("Booting worker") == 2
        assert "Traceback" not in server.log()
        assert list(recount.differences()) == []
