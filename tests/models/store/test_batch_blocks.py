"""Pages of all batches begin where the counts of blocks lead: the same pages, and none is far."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from peewee import SQL, fn

from app.exchange import saved_answers
from models.checks.recount import Difference, differences
from models.promotions import batches
from models.promotions.batches import Batch
from models.promotions.terms import Terms
from models.redemptions import batch_deletion
from models.store import batch_blocks, visibility
from models.store.base import change
from models.store.batch_blocks import BatchBlock
from tests import saved
from tests.visits import settle, visits

pytestmark = pytest.mark.usefixtures("store")
SIZE = 8
MANY, DOUBLED = 32_000, 64


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make blocks so small that few batches fill many of them."""
    monkeypatch.setattr(batch_blocks, "SIZE", SIZE)
    monkeypatch.setattr(batch_blocks, "WORTH", SIZE // 2)


class Undone(Exception):
    pass


def add(count: int, realm: int = visibility.LEGACY) -> None:
    terms = Terms.of()
    with change():
        for _ in range(count):
            batches.add("Batch", terms, realm)


def delete(ids: Sequence[int]) -> None:
    with change():
        for batch_id in ids:
            batch_deletion.delete(batch_id)


def take_over(ids: Sequence[int], folder: Path) -> None:
    """Import batches with these ids."""
    given = saved.answer("batches", [saved.batch(number, []) for number in ids])
    saved_answers.store_files([saved.save(folder / "batches.json", given)])


def newest_first() -> list[int]:
    """Return the ids of all batches that are listed, by a question that knows no blocks."""
    listed: Any = Batch.select(Batch.id).where(Batch.realm == visibility.LEGACY)
    return [row[0] for row in listed.order_by(Batch.id.desc()).tuples()]


def page(number: int, size: int) -> list[int]:
    return [row[0] for row in batches.newest(batches.total(), number, size).rows()]


def assert_pages_are_right(size: int = 3) -> None:
    """Compare every page, and one behind the last, with a plain order."""
    ids = newest_first()
    assert batches.total() == len(ids)
    for number in range(len(ids) // size + 2):
        assert page(number, size) == ids[number * size :][:size], number
    assert list(differences()) == []


@pytest.mark.parametrize("count", [0, 1, SIZE - 1, SIZE, SIZE + 1, 10 * SIZE, 10 * SIZE + 5])
def test_full_blocks(count: int) -> None:
    add(count)
    assert_pages_are_right()


@pytest.mark.parametrize("size", [1, 2, 7, 40, 100])
def test_pages_of_any_size(size: int) -> None:
    add(100)
    assert_pages_are_right(size)


def test_blocks_with_holes_and_empty_ones() -> None:
    add(150)
    delete([*range(10, 60), *range(71, 140, 3), 150])
    assert_pages_are_right()


def test_batches_of_campaigns_are_not_counted() -> None:
    for _ in range(20):
        add(5)
        add(4, visibility.CAMPAIGN_LIVE)
        add(2, visibility.CAMPAIGN_TEST)
    assert_pages_are_right()
    assert sum(block.n for block in BatchBlock.select()) == 100


def test_imported_batches_have_ids_of_their_own(tmp_path: Path) -> None:
    take_over(
        [*range(5, 90, 2), *range(10**6, 10**9, 10**8), *range(10**12, 10**12 + 40)], tmp_path
    )
    add(30)
    take_over(range(1, 60), tmp_path)  # some for the second time
    assert_pages_are_right()


def test_whatever_comes_and_goes(tmp_path: Path) -> None:
    chance = random.Random(5)  # noqa: S311  # no secret
    for step in range(12):
        add(
            chance.randrange(30),
            chance.choice([visibility.LEGACY, visibility.LEGACY, visibility.TEST]),
        )
        ids = newest_first()
        delete(chance.sample(ids, len(ids) * chance.randrange(4) // 8))
        if step % 4 == 0:
            take_over(chance.sample(range(1000 * step + 500, 1000 * step + 800), 20), tmp_path)
        assert_pages_are_right(chance.randrange(1, 12))


def test_what_is_undone_is_not_counted() -> None:
    add(20)
    with suppress(Undone), change():
        add(20)
        raise Undone
    assert_pages_are_right()


def test_a_recount_names_each_block_that_is_wrong() -> None:
    add(3 * SIZE)
    assert list(differences()) == []
    BatchBlock.update(n=SIZE + 1).where(BatchBlock.first_id == SIZE).execute()
    BatchBlock.delete().where(BatchBlock.first_id == 2 * SIZE).execute()
    BatchBlock.create(first_id=100 * SIZE, n=2)
    assert list(differences()) == [
        Difference("batches 8 to 15", 9, 8),
        Difference("batches 16 to 23", 0, 8),
        Difference("batches 800 to 807", 2, 0),
    ]


@pytest.mark.parametrize("by", [-SIZE, -1, 1, SIZE])
def test_counts_of_another_moment_shift_a_page_by_no_more_than_changed(by: int) -> None:
    add(100)
    BatchBlock.update(n=BatchBlock.n + by).where(BatchBlock.first_id == 6 * SIZE).execute()
    ids = newest_first()
    for number in range(33):
        found = page(number, 3)
        assert abs(ids.index(found[0]) - number * 3) <= abs(by)
        assert found == ids[ids.index(found[0]) :][:3]


@pytest.mark.parametrize("n", [None, 10**6])
def test_without_counts_that_can_be_the_pages_are_right(n: int | None) -> None:
    add(100)
    (BatchBlock.delete() if n is None else BatchBlock.update(n=n)).execute()
    ids = newest_first()
    assert [page(number, 10) for number in range(10)] == [ids[at:][:10] for at in range(0, 100, 10)]


def test_every_page_costs_about_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    add(MANY // DOUBLED)
    columns = [field for field in Batch._meta.sorted_fields if field is not Batch.id]
    while Batch.select().count() < MANY:
        Batch.insert_from(Batch.select(*columns), columns).execute()
    BatchBlock.delete().execute()
    counted: Any = Batch.select(batch_blocks.first_of(Batch.id), fn.COUNT(Batch.id))
    columns = [BatchBlock.first_id, BatchBlock.n]
    BatchBlock.insert_from(counted.group_by(SQL("1")), columns).execute()
    settle()
    seen = {}
    for number in (0, 10, MANY // 400, MANY // 200 - 1, MANY // 200, MANY // 150, MANY // 100 - 1):
        batches.newest(MANY, number, 100)
        seen[number] = visits(lambda number=number: batches.newest(MANY, number, 100))
    # In the middle 16,000 batches are passed: by their blocks, not one by one.
    assert max(seen.values()) < min(seen.values()) + 3 * batch_blocks.SIZE, seen
