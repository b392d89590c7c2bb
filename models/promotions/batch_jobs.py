"""Batches of the legacy API that are too large for one request: workers make their codes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from peewee import BigIntegerField, CharField, IntegerField

from models.promotions import batch_life, batches, generation
from models.promotions.batches import Batch
from models.promotions.terms import Terms
from models.store import clock
from models.store.base import Row, change, retried
from models.store.errors import Busy, PromoError

log = logging.getLogger(__name__)


class BatchJob(Row):
    """Keep that workers shall make the codes that a batch lacks; gone when all are made.

    `error` is the sentence of a refusal that ended it. Times are Unix seconds.
    """

    id = None
    batch_id = IntegerField(primary_key=True)
    asked_at = BigIntegerField()
    error = CharField(max_length=255, default="")


@retried
def add(name: str, terms: Terms, size: int, **fields: Any) -> Batch:
    """Make a batch whose codes a worker makes. Raises Invalid when no ids are left."""
    with change():
        batch = batch_life.start(name, terms, size, **fields)
        BatchJob.create(batch_id=batch.id, asked_at=clock.now())
    return batch


def of_batch(batch_id: int) -> BatchJob | None:
    """Return the job of a batch, None where it has none."""
    return BatchJob.get_or_none(BatchJob.batch_id == batch_id)


def next_unfinished() -> BatchJob | None:
    """Return the job that was asked for first, of those that no refusal has ended."""
    return BatchJob.select().where(BatchJob.error == "").order_by(BatchJob.batch_id).first()


def work(
    job: BatchJob,
    on_progress: Callable[[int], object] = lambda count: None,
    chunk: int = generation.CHUNK,
) -> None:
    """Make the codes that the batch still lacks; several workers may do so at once.

    `on_progress` is told how many codes came since it was last told. A refusal of the store ends
    the job with its sentence.
    """
    batch = Batch.get_or_none(Batch.id == job.batch_id)
    try:
        if batch is not None:
            generation.fill(batch, on_progress, chunk)
    except Busy:  # whoever goes on with it may fare better
        raise
    except PromoError as problem:
        log.warning("The codes of batch %s were not all made: %s", job.batch_id, problem.key)
        _end(job.batch_id, problem.sentence[:255])
    else:
        _end(job.batch_id)


@retried
def cancel(batch_id: int) -> None:
    """Want no more codes than the batch has by now."""
    with change():
        # A worker holds the batch for the whole of a chunk, and finds that no more are wanted.
        batches.bump(batch_id, requested=Batch.made, updated_at=clock.now())
        _end(batch_id)


@retried
def _end(batch_id: int, error: str = "") -> None:
    with change():
        here = BatchJob.batch_id == batch_id
        if error:
            BatchJob.update(error=error).where(here).execute()
        else:
            BatchJob.delete().where(here).execute()
