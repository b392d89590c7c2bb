"""Workers make the codes of large batches, whichever of them comes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from app.config import Settings
from models.promotions import batch_jobs, batches
from models.promotions.batch_jobs import BatchJob
from models.promotions.terms import Terms
from models.store.base import database

SIZE = 900


def test_two_workers_make_each_code_once(store: Settings) -> None:
    batch = batch_jobs.add("Large", Terms.of(), SIZE, prefix="L-")
    job = batch_jobs.next_unfinished()
    assert job is not None

    def work(number: int) -> None:
        with database.connection_context():
            batch_jobs.work(job, chunk=100)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, range(2)))
    held = batches.by_id(batch.id)
    assert (held.made, held.coupons_count, held.requested) == (SIZE, SIZE, SIZE)
    assert not BatchJob.select().exists()


def test_the_oldest_comes_first_and_a_refused_one_never(store: Settings) -> None:
    first, second = (batch_jobs.add(name, Terms.of(), 5) for name in ("A", "B"))
    found = batch_jobs.next_unfinished()
    assert found is not None
    assert found.batch_id == first.id
    BatchJob.update(error="x").where(BatchJob.batch_id == first.id).execute()
    assert batch_jobs.next_unfinished().batch_id == second.id
    batch_jobs.cancel(second.id)
    assert batches.by_id(second.id).requested == 0
    assert batch_jobs.next_unfinished() is None
