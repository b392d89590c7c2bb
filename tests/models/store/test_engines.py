"""Every engine: texts letter for letter, transactions given up and run again, lost connections."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from decimal import Decimal

import pytest
from peewee import DataError, IntegrityError, InterfaceError, OperationalError

from app import db
from app.config import Settings
from models.checks import recount
from models.promotions import batch_life, coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import redemptions
from models.redemptions.players import Player
from models.redemptions.use_rules import Refused, Use
from models.store import base, clock
from models.store.base import OutcomeUnknown, change, database, repeatable, retried, snapshot
from models.store.counters import Tally
from models.store.errors import Busy, NotFound
from tests import stores
from tests.terms import but

pytestmark = pytest.mark.usefixtures("store")
WAIT_SECONDS = 30
TODAY = date(2026, 11, 22)
needs_row_locks = pytest.mark.skipif(
    stores.SQLITE, reason="one writer at a time: no transaction is ended for another"
)


def test_texts_are_compared_letter_for_letter() -> None:
    codes = ("SPRING", "spring", "SPRING ", "SPRÍNG", "SPRI\u0301NG")
    for code in codes:
        Coupon.create(code=code, terms=Terms.of())
    for code in codes:
        assert coupons.by_code(code).code == code
    for code in ("Spring", "SPRING  ", " SPRING", "SPRİNG"):
        with pytest.raises(NotFound):
            coupons.by_code(code)


def test_nul_in_a_text_breaks_nothing() -> None:
    coupons.add("NUL", Terms.of(notes="a\0b"))
    assert coupons.by_code("NUL").terms.notes in ("a\0b", "a\ufffdb")
    with pytest.raises(NotFound):
        coupons.by_code("NUL\0")


def test_texts_and_numbers_are_as_wide_everywhere() -> None:
    notes = "ü€😀" * 40_000
    terms = Terms.of(notes=notes)
    assert Terms.get_by_id(terms.id).notes == notes
    Player.create(campaign_id=2**62, user_id="u", points=2**62)
    assert Player.get(Player.campaign_id == 2**62).points == 2**62


def test_what_does_not_fit_is_refused() -> None:
    if stores.SQLITE:
        pytest.skip("SQLite knows no lengths")
    with pytest.raises(DataError, match=r"(?i)too long"):
        coupons.add("x" * 33, Terms.of())


def test_an_update_tells_how_many_rows_it_found_changed_or_not() -> None:
    assert Tally.update(n=Tally.n).execute() == Tally.select().count()


def test_a_refused_part_leaves_the_rest_of_its_transaction() -> None:
    with change():
        coupons.add("ONE", Terms.of())
        with suppress(IntegrityError), change():
            Coupon.create(code="ONE", terms=Terms.of())
        coupons.add("TWO", Terms.of())
    assert {coupon.code for coupon in Coupon.select()} == {"ONE", "TWO"}


def test_a_snapshot_sees_one_state() -> None:
    coupons.add("BEFORE", Terms.of())
    with snapshot():
        assert Coupon.select().count() == 1
        in_thread(lambda: coupons.add("AFTER", Terms.of()))
        assert Coupon.select().count() == 1
    assert Coupon.select().count() == 2


def test_a_snapshot_fits_into_others_and_ends_with_what_goes_wrong_in_it() -> None:
    with suppress(KeyError), snapshot():
        assert database.in_transaction()
        raise KeyError
    assert not database.in_transaction()
    with change(), snapshot():
        coupons.add("BEFORE", Terms.of())
    with snapshot():
        with snapshot():
            assert Coupon.select().count() == 1
        in_thread(lambda: coupons.add("AFTER", Terms.of()))
        assert Coupon.select().count() == 1
    assert Coupon.select().count() == 2


def test_a_number_that_was_given_by_hand_is_passed_over() -> None:
    first = coupons.add("FIRST", Terms.of()).id
    with change():
        database.reserve_ids("coupon", first + 10)
        Coupon.create(id=first + 10, code="BY-HAND", terms=Terms.of())
        database.reserve_ids("coupon", first + 5)
    assert coupons.add("NEXT", Terms.of()).id == first + 11


def in_thread(deed: Callable[[], object]) -> None:
    """Let another connection do something, and wait for it."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            with database.connection_context():
                deed()
        except BaseException as problem:  # noqa: BLE001  # it fails the test
            failed.append(problem)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(WAIT_SECONDS)
    assert not thread.is_alive()
    assert not failed


def use_of(code: str) -> None:
    with suppress(Refused):  # as busy: it has been edited each time that it was looked at
        redemptions.redeem(coupons.by_code(code), Use(today=TODAY, places=2))


def raise_tally(name: str) -> None:
    Tally.update(n=Tally.n + 1).where(Tally.name == name).execute()


@needs_row_locks
def test_who_is_in_the_others_way_is_run_again() -> None:
    both = threading.Barrier(2)
    first_done = threading.Event()
    runs = []

    @retried
    def cross(one: str, other: str) -> None:
        runs.append(one)
        if len(runs) > 2:  # or it takes its row again before the other has woken up, and so on
            assert first_done.wait(WAIT_SECONDS)
        with change():
            raise_tally(one)
            if len(runs) <= 2:
                both.wait(WAIT_SECONDS)
            with change():  # its savepoint goes with the transaction
                raise_tally(other)
        first_done.set()

    names = ("batches", "coupons")
    thread = threading.Thread(target=lambda: in_thread(lambda: cross(*names)))
    thread.start()
    cross(*names[::-1])
    thread.join(WAIT_SECONDS)
    assert len(runs) == 3
    assert {row.name: row.n for row in Tally.select() if row.name in names} == dict.fromkeys(
        names, 2
    )


@needs_row_locks
def test_who_waits_too_long_is_refused_as_busy(settings: Settings) -> None:
    impatient = db.bind(Settings(database_url=settings.database_url, database_timeout_seconds=1))
    with impatient.connection_context(), stores.written(settings.database_url):
        began = clock.elapsed()
        with pytest.raises(Busy) as refused:
            coupons.add("NEVER", Terms.of())
        assert 1 <= clock.elapsed() - began < 10
    assert refused.value.key == "busy"
    impatient.close_all()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Wait for nothing, and return how long it would have been at most."""
    most: list[float] = []
    monkeypatch.setattr(clock, "pause", most.append)
    return most


def test_it_is_tried_so_often_and_in_ever_longer_intervals(pauses: list[float]) -> None:
    tried = []

    @retried
    def never() -> None:
        tried.append(1)
        raise Busy

    with pytest.raises(Busy):
        never()
    assert len(tried) == base.ATTEMPTS == len(pauses) + 1
    assert pauses == sorted(pauses)
    assert pauses[0] < 0.01 < pauses[-1] == base.LONGEST_PAUSE_SECONDS


def test_a_part_of_a_transaction_is_not_run_again_alone(pauses: list[float]) -> None:
    tried = []

    @retried
    def part() -> None:
        tried.append(1)
        raise Busy

    with pytest.raises(Busy), change():
        part()
    assert (tried, pauses) == ([1], [])


@needs_row_locks
def test_a_batch_is_edited_while_its_codes_are_used() -> None:
    """Neither is ever in the other's way for good: they take rows in one order."""
    batch = batch_life.make("Arena", Terms.of(), 20)
    codes = [coupon.code for coupon in Coupon.select().order_by(Coupon.id)]
    over = threading.Event()
    uses = []

    def use() -> None:
        while not over.is_set():
            for code in codes:
                use_of(code)
                uses.append(code)

    users = [threading.Thread(target=lambda: in_thread(use)) for _ in range(3)]
    for user in users:
        user.start()
    try:
        for value in range(1, 20):
            batch_life.edit(
                batch.id, TODAY, terms=lambda terms, value=value: but(terms, value=Decimal(value))
            )
    finally:
        over.set()
        for user in users:
            user.join(WAIT_SECONDS)
    assert uses
    assert list(recount.differences()) == []


@needs_row_locks
def test_connections_that_the_server_ended_are_replaced(settings: Settings) -> None:
    def end_all() -> None:
        with stores.session(settings.database_url) as other:
            stores.end_others(other)

    def lose_one() -> None:
        end_all()
        assert Coupon.select().count() == 2  # a question is asked again
        end_all()
        with change():
            assert coupons.by_code("AFTER").live
        with suppress(OperationalError, InterfaceError), snapshot():
            end_all()
            pytest.fail(f"the snapshot has another connection: {Coupon.select().count()}")

    in_thread(lambda: coupons.add("BEFORE", Terms.of()))
    end_all()  # while it waits in the pool
    in_thread(lambda: coupons.add("AFTER", Terms.of()))
    in_thread(lose_one)
    in_thread(lambda: coupons.add("LAST", Terms.of()))
    with stores.session(settings.database_url) as other:
        assert other.execute_sql("SELECT COUNT(*) FROM coupon").fetchone() == (3,)


@needs_row_locks
def test_a_change_whose_connection_is_lost_runs_again_unless_it_may_be_stored(
    settings: Settings,
) -> None:
    attempts: list[str] = []

    def added(code: str, lost_before: bool) -> None:
        attempts.append(code)
        with change():
            first = attempts.count(code) == 1
            if lost_before and first:
                end_all()
            coupons.add(code, Terms.of())
            if not lost_before and first:
                end_all()

    def end_all() -> None:
        with stores.session(settings.database_url) as other:
            stores.end_others(other)

    def lose_some() -> None:
        retried(added)("LOST BEFORE", True)
        with pytest.raises(OutcomeUnknown):
            retried(added)("LOST AT THE END", False)
        repeatable(added)("REPEATABLE", False)

    in_thread(lose_some)
    assert attempts == [*["LOST BEFORE"] * 2, "LOST AT THE END", *["REPEATABLE"] * 2]
    assert {coupon.code for coupon in Coupon.select()} == {"LOST BEFORE", "REPEATABLE"}
    assert list(recount.differences()) == []
