"""There is room for the codes of a batch, and exactly as many are made as were asked for."""

from __future__ import annotations

import threading
from datetime import date

import pytest

from models.promotions import batch_life, batches, coupons, generation
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.store import clock, counters
from models.store.base import change, database
from models.store.errors import Conflict, Invalid, NotFound


def a_batch(**fields: int | str) -> Batch:
    return batches.add("Test", Terms.of(), **fields)


def digits(requested: int, length: int = 3) -> Batch:
    return a_batch(prefix="D", complexity=5, length=length, requested=requested)


def fill(batch: Batch, chunk: int = generation.CHUNK) -> None:
    generation.fill(batch, lambda more: None, chunk)


def live_codes(batch: Batch) -> list[str]:
    rows = Coupon.select(Coupon.code).where(Coupon.batch_id == batch.id, Coupon.live.is_null(False))
    return [code for (code,) in rows.order_by(Coupon.id).tuples()]


def assert_exact(batch: Batch) -> None:
    """Check that the batch has what it asked for and that every kept count equals a recount."""
    stored = batches.by_id(batch.id)
    codes = live_codes(batch)
    assert len(set(codes)) == len(codes) == stored.requested == stored.made == stored.coupons_count
    assert counters.count(counters.COUPONS) == Coupon.select().count()
    alone = Coupon.select().where(Coupon.batch_id == coupons.ALONE).count()
    assert counters.count(counters.SINGLE_COUPONS) == alone


@pytest.mark.usefixtures("store")
class TestRoom:
    def check(self, **changes: int | str | bool) -> None:
        arguments = {"prefix": "D", "complexity": 5, "length": 9, "size": 1000, "dense": False}
        generation.check_room(**(arguments | changes))  # type: ignore[arg-type]  # one of each

    def test_takes_a_millionth_and_says_how_long_is_long_enough_for_more(self) -> None:
        self.check(size=1000)
        with pytest.raises(Invalid, match=r"use --length 10 or more, or --dense"):
            self.check(size=1001)
        self.check(size=1001, length=10)

    def test_says_when_the_prefix_is_in_the_way(self) -> None:
        with pytest.raises(Invalid, match=r"--length 10 or more \(with a prefix of 22 "):
            self.check(size=1001, prefix="P" * 23)

    def test_dense_takes_all(self) -> None:
        self.check(size=1000, length=3, dense=True)
        with pytest.raises(Invalid, match=r"Only 1,000 more codes .* longer --length"):
            self.check(size=1001, length=3, dense=True)

    def test_dense_leaves_half_of_a_space_too_large_to_list(self) -> None:
        self.check(size=10**9 // 2, dense=True)
        with pytest.raises(Invalid, match="Only 500,000,000 more codes"):
            self.check(size=10**9 // 2 + 1, dense=True)

    def test_counts_the_live_codes_of_the_same_kind(self) -> None:
        terms = Terms.of()
        for code in ("D001", "D002", "D1", "D0001", "E001", "D00A", "d003"):
            coupons.add(code, terms)
        coupons.add("D004", terms, live=False)
        self.check(size=997, length=3, dense=True)  # d003 is D003 in other letters
        with pytest.raises(Invalid, match="Only 997 more"):
            self.check(size=998, length=3, dense=True)

    @pytest.mark.parametrize(("complexity", "kinds"), [(1, 36), (2, 36), (3, 26), (4, 26)])
    def test_letters_of_both_cases_make_no_more_codes(self, complexity: int, kinds: int) -> None:
        self.check(complexity=complexity, size=kinds**2, length=2, dense=True)
        with pytest.raises(Invalid, match=f"Only {kinds**2:,} more"):
            self.check(complexity=complexity, size=kinds**2 + 1, length=2, dense=True)

    def test_prefix_and_length_fit_into_a_code(self) -> None:
        self.check(prefix="P" * 23)
        with pytest.raises(Invalid, match="33 characters, 32 is the most"):
            self.check(prefix="P" * 24)

    @pytest.mark.parametrize("changes", [{"size": 0}, {"length": 0}, {"prefix": "a\n"}])
    def test_refuses_what_cannot_be(self, changes: dict[str, int | str]) -> None:
        with pytest.raises(Invalid):
            self.check(**changes)


@pytest.mark.usefixtures("store")
class TestFill:
    def test_makes_exactly_as_many_in_chunks(self) -> None:
        batch = a_batch(prefix="XO-", requested=1234)
        told: list[int] = []
        generation.fill(batch, told.append, chunk=500)
        assert told == [500, 500, 234]
        assert_exact(batch)
        assert all(len(code) == 15 and code.startswith("XO-") for code in live_codes(batch))

    def test_raises_the_revision_and_the_time_with_each_chunk(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        batch = a_batch(requested=30)
        monkeypatch.setattr(clock, "now", lambda: 4_000_000_000)
        fill(batch, chunk=10)
        stored = batches.by_id(batch.id)
        assert stored.revision == batch.revision + 3
        assert stored.updated_at == 4_000_000_000

    def test_gives_every_coupon_the_terms_of_the_batch(self) -> None:
        terms = Terms.of(value=7)
        batch = batches.add("Test", terms, requested=3)
        fill(batch)
        rows = Coupon.select().where(Coupon.batch_id == batch.id)
        facts = {(row.terms_id, row.live, row.active, row.num_usage) for row in rows}
        assert facts == {(terms.id, True, True, 0)}

    def test_a_complete_batch_is_left_alone(self) -> None:
        batch = a_batch(requested=5)
        fill(batch)
        before = batches.by_id(batch.id).revision
        fill(batches.by_id(batch.id))
        assert batches.by_id(batch.id).revision == before
        assert_exact(batch)

    def test_a_batch_without_a_known_complexity_is_complete_without_codes(self) -> None:
        batch = a_batch(complexity=9, requested=0)
        fill(batch)
        assert batches.by_id(batch.id).complete
        assert live_codes(batch) == []

    def test_passes_over_live_codes_and_repeats_archived_ones(self) -> None:
        terms = Terms.of()
        with change():
            for number in range(0, 1000, 3):
                coupons.add(f"D{number:03}", terms, live=number % 2 == 0)
        batch = digits(833)
        fill(batch, chunk=100)
        assert_exact(batch)
        live = Coupon.select(Coupon.code).where(Coupon.live.is_null(False)).order_by(Coupon.code)
        assert [code for (code,) in live.tuples()] == [f"D{number:03}" for number in range(1000)]

    @pytest.mark.parametrize("chunk", [1, 7, 1000])
    def test_fills_a_dense_space_to_the_last_code(self, chunk: int) -> None:
        batch = digits(100, length=2)
        fill(batch, chunk)
        assert_exact(batch)
        assert sorted(live_codes(batch)) == [f"D{number:02}" for number in range(100)]

    @pytest.mark.parametrize(("complexity", "kinds"), [(1, 36), (3, 26)])
    def test_fills_a_dense_space_of_both_cases_with_codes_unlike(
        self, complexity: int, kinds: int
    ) -> None:
        batch = a_batch(prefix="M", complexity=complexity, length=2, requested=kinds**2)
        fill(batch)
        assert_exact(batch)
        codes = live_codes(batch)
        assert len({code.lower() for code in codes}) == kinds**2
        assert {letter for code in codes for letter in code[1:]} == set(
            generation.alphabet(complexity)
        )

    def test_picks_among_the_free_codes_when_draws_clash(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = digits(9990, length=4)
        fill(first)
        drawn: list[int] = []
        source = clock.random_bytes

        def counted(count: int) -> bytes:
            drawn.append(count)
            return source(count)

        monkeypatch.setattr(clock, "random_bytes", counted)
        second = digits(10, length=4)
        fill(second)
        assert_exact(second)
        # By chance alone the last ten of 10,000 codes take some 29,000 draws of four bytes.
        assert sum(drawn) < 2000

    def test_ends_when_others_took_the_codes(self) -> None:
        fill(digits(95, length=2))
        batch = digits(10, length=2)
        with pytest.raises(Conflict, match=r"used up: batch 2 has 5 of 10"):
            fill(batch)
        stored = batches.by_id(batch.id)
        assert stored.made == stored.coupons_count == len(live_codes(batch)) == 5

    def test_ends_when_a_space_too_large_to_list_is_crowded(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(digits(60, length=2))
        monkeypatch.setattr(generation, "LISTABLE", 99)
        monkeypatch.setattr(clock, "random_bytes", bytes)  # always the same code
        with pytest.raises(Conflict, match="used up"):
            fill(digits(10, length=2))

    def test_ends_when_the_batch_is_gone(self) -> None:
        batch = a_batch(requested=5)
        batch.delete_instance()
        with pytest.raises(NotFound):
            fill(batch)
        assert Coupon.select().count() == 0

    def test_an_archived_batch_is_finished_once_it_is_live_again(self) -> None:
        batch = a_batch(requested=30)

        def archive(more: int) -> None:
            batch_life.edit(batch.id, date(2026, 1, 1), live=False)

        with pytest.raises(Conflict, match="archived"):
            generation.fill(batch, archive, chunk=10)
        stored = batches.by_id(batch.id)
        assert stored.made == stored.coupons_count == Coupon.select().count() == 10
        assert live_codes(batch) == []
        batch_life.edit(batch.id, date(2026, 1, 1), live=True)
        fill(stored)
        assert_exact(batch)

    def test_a_failure_leaves_no_half_chunk(self) -> None:
        batch = a_batch(requested=30)

        def fail_at_once(more: int) -> None:
            raise InterruptedError

        with pytest.raises(InterruptedError):
            generation.fill(batch, fail_at_once, chunk=10)
        stored = batches.by_id(batch.id)
        assert stored.made == stored.coupons_count == len(live_codes(batch)) == 10
        fill(stored)
        assert_exact(batch)

    def test_one_that_knows_an_older_state_makes_what_is_missing_now(self) -> None:
        batch = a_batch(requested=11)
        older = batches.by_id(batch.id)

        def fail_at_once(more: int) -> None:
            raise InterruptedError

        with pytest.raises(InterruptedError):
            generation.fill(batch, fail_at_once, chunk=8)
        told: list[int] = []
        generation.fill(older, told.append, chunk=8)
        assert told == [11]
        assert_exact(batch)

    def test_two_fill_one_batch_together(self) -> None:
        batch = a_batch(requested=2500)
        both = threading.Barrier(2)
        shares: list[int] = []

        def work(mine: Batch) -> None:
            told: list[int] = []

            def note(more: int) -> None:
                if not told:
                    both.wait(timeout=30)
                told.append(more)

            with database.connection_context():
                generation.fill(mine, note, chunk=50)
            shares.append(sum(told))

        threads = [threading.Thread(target=work, args=[batches.by_id(batch.id)]) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert shares == [2500, 2500]  # each is told of the progress of the batch, not of its own
        assert_exact(batch)
