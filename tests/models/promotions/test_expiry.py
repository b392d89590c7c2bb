"""Once a day what has expired becomes inactive, and nothing else does."""

from __future__ import annotations

import logging
import threading
from datetime import UTC, date, datetime, timedelta

import pytest

from app import db
from app.config import Settings
from models.promotions import batch_life, batches, coupon_life, coupons, expiry
from models.promotions.coupons import Coupon
from models.promotions.expiry import Sweep
from models.promotions.terms import Terms
from models.store import clock, schema
from models.store.base import change, database
from tests.conftest import GOLDEN_TIME
from tests.recount import assert_counts_are_right
from tests.terms import but

pytestmark = pytest.mark.usefixtures("still_time", "store")
START = datetime.fromtimestamp(GOLDEN_TIME, UTC).date()
"""The day on which the fresh store of a test was made."""


def day(number: int) -> date:
    return START + timedelta(days=number)


def expiring(number: int, code: str = "CODE", live: bool = True) -> Coupon:
    return coupons.add(code, Terms.of(expires=day(number)), live=live)


def is_active(coupon: Coupon) -> bool:
    return bool(coupons.by_id(coupon.id).active)


def test_a_code_is_inactive_after_its_last_day() -> None:
    coupon, other = expiring(2), coupons.add("OTHER", Terms.of())
    assert expiry.expire_due(day(1)) == 0
    assert expiry.expire_due(day(2)) == 0
    assert is_active(coupon)
    assert expiry.expire_due(day(3)) == 1
    assert not is_active(coupon)
    assert is_active(other)
    assert_counts_are_right()


def test_days_without_a_request_are_made_up_for() -> None:
    held = [expiring(number, f"C{number}") for number in range(6)]
    assert expiry.expire_due(day(4)) == 4
    assert [is_active(coupon) for coupon in held] == [False] * 4 + [True] * 2


def test_the_revision_of_a_batch_rises_only_where_a_code_expired() -> None:
    expired = batch_life.make("Expired", Terms.of(expires=day(1)), 3)
    other = batch_life.make("Other", Terms.of(expires=day(9)), 3)
    own = Coupon.select().where(Coupon.batch_id == other.id).order_by(Coupon.id).first()
    archived = batch_life.make("Archived", Terms.of(expires=day(1)), 2)
    batch_life.edit(archived.id, day(0), live=False)
    before = {batch.id: batch.revision for batch in map(batches.by_id, (1, 2, 3))}
    assert expiry.expire_due(day(2)) == 3
    after = {batch.id: batch.revision for batch in map(batches.by_id, (1, 2, 3))}
    assert after == before | {expired.id: before[expired.id] + 1}
    assert batches.by_id(expired.id).updated_at == expired.updated_at
    coupon_life.edit(own.id, day(2), terms=lambda old: but(old, expires=day(3)))
    assert expiry.expire_due(day(4)) == 1
    assert batches.by_id(other.id).revision == before[other.id] + 2


def test_what_had_expired_when_it_came_keeps_what_it_said() -> None:
    coupon = expiring(-1)
    expiry.expire_due(day(0))
    expiry.expire_due(day(1))
    assert is_active(coupon)


def test_a_day_that_is_done_is_not_done_again() -> None:
    expiry.expire_due(day(3))
    late = expiring(2)
    expiry.expire_due(day(3))
    expiry.expire_due(day(2))
    assert is_active(late)
    assert Sweep.get_by_id("expiry").day == day(3)


def test_a_request_on_a_day_that_is_done_asks_the_store_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    expiry.expire_due(day(1))
    with caplog.at_level(logging.DEBUG, "peewee"):
        expiry.expire_due(day(1))
        assert not caplog.records
        expiry.expire_due(day(2))
        assert caplog.records


class Asked(logging.Handler):
    """Count the questions for the day that is done."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.seen = threading.Semaphore(0)

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith("('SELECT") and "sweep" in record.getMessage():
            self.seen.release()


def test_one_of_many_does_the_work_and_no_day_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    """All of them see that there is something to do before the first one does it."""
    expiring(1)
    done = []
    asked = Asked()
    caplog.set_level(logging.DEBUG, "peewee")
    logging.getLogger("peewee").addHandler(asked)

    def sweep(number: int) -> None:
        with database.connection_context():
            done.append(expiry._sweep(day(number)))

    threads = [threading.Thread(target=sweep, args=(number,)) for number in (3, 3, 2, 2)]
    try:
        with change():
            for thread in threads:
                thread.start()
            assert all(asked.seen.acquire(timeout=30) for _ in threads)
        for thread in threads:
            thread.join()
    finally:
        logging.getLogger("peewee").removeHandler(asked)
    assert sorted(done) == [0, 0, 0, 1]
    assert Sweep.get_by_id("expiry").day == day(3)


def test_a_store_that_takes_no_writes_is_asked_again_later(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    skipped = 0
    elapsed = clock.elapsed
    monkeypatch.setattr(clock, "elapsed", lambda: elapsed() + skipped)
    impatient = Settings(database_url=settings.database_url, database_timeout_seconds=1)
    bound = db.bind(impatient)
    with bound.connection_context():
        schema.require_current()
        coupon = expiring(1)
        locked, finished = threading.Event(), threading.Event()

        def hold() -> None:
            with database.connection_context(), database.atomic():
                Sweep.update(day=Sweep.day).execute()
                locked.set()
                finished.wait(30)

        holder = threading.Thread(target=hold)
        holder.start()
        try:
            assert locked.wait(30)
            assert expiry.expire_due(day(2)) == 0
            assert "could not be made inactive" in caplog.text
        finally:
            finished.set()
            holder.join()
        assert expiry.expire_due(day(2)) == 0
        assert is_active(coupon)
        skipped += expiry.RETRY_SECONDS
        assert expiry.expire_due(day(2)) == 1
    bound.close_all()
