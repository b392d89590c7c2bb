"""Jobs: batches too large for one request, made by workers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from peewee import BigIntegerField, CharField, ForeignKeyField, IntegerField

from models.campaigns import campaign_making
from models.campaigns.campaign_making import Plan
from models.promotions import generation
from models.promotions.batches import Batch
from models.promotions.campaign_counts import Campaign, CampaignBatch, Owner
from models.store import clock
from models.store.base import Row, change, retried
from models.store.errors import Busy, Conflict, NotFound, PromoError

QUEUED, RUNNING, DONE, FAILED = "queued", "running", "done", "failed"
CODES_MOST = 5_000_000
HANDING_OUT_SECONDS = 900
"""How long a download may take before another one is let in its place."""
log = logging.getLogger(__name__)


class Job(Row):
    """Keep one job. How many codes it has made is its batch's `made`, in the same transaction.

    The codes are handed out once: `handing_out_at` is when a download began, `handed_out_at` when
    one ended whole. Times are Unix seconds.
    """

    uuid = CharField(max_length=36, unique=True)
    campaign = ForeignKeyField(Campaign, on_delete="RESTRICT", index=False)
    batch = ForeignKeyField(CampaignBatch, on_delete="RESTRICT", index=False)
    batch_id: Any
    requested = IntegerField()
    status = CharField(max_length=16, default=QUEUED)
    error = CharField(max_length=255, null=True)
    handing_out_at = BigIntegerField(null=True)
    handed_out_at = BigIntegerField(null=True)
    created_at = BigIntegerField()
    updated_at = BigIntegerField()

    class Meta:
        indexes = ((("status", "id"), False),)

    @property
    def created(self) -> int:
        """Return how many codes there are by now."""
        return int(Batch.get_by_id(self.batch_id).made)


@retried
def add(campaign: Campaign, size: int, plan: Plan) -> Job:
    """Queue a batch of codes. Raises Invalid when so many cannot be made."""
    now = clock.now()
    with change():
        return Job.create(
            batch=campaign_making.start(campaign, size, plan),
            uuid=clock.random_uuid(),
            campaign=campaign,
            requested=size,
            created_at=now,
            updated_at=now,
        )


def by_uuid(owner: Owner, uuid: str) -> Job:
    """Return a job of the owner. Raises NotFound."""
    job = Job.get_or_none(uuid=uuid.lower())
    if job is None or job.campaign.owner != owner:
        raise NotFound("Job not found", "job_not_found")
    return job


def next_unfinished() -> Job | None:
    """Return the job to work on: one that was begun before any other."""
    unfinished = Job.select().where(Job.status.in_((RUNNING, QUEUED)))
    return unfinished.order_by(Job.status.desc(), Job.id).first()  # "running" before "queued"


def work(
    job: Job,
    on_progress: Callable[[int], object] = lambda count: None,
    chunk: int = generation.CHUNK,
) -> None:
    """Make the codes that a job still lacks; several workers may do so at once.

    `on_progress` is told how many codes came since it was last told. A refusal of the store ends
    the job with its sentence.
    """
    _set(job, RUNNING)
    batch = Batch.get_by_id(job.batch_id)
    try:
        generation.fill(batch, on_progress, chunk)
    except Busy:  # whoever goes on with it may fare better
        raise
    except PromoError as problem:
        log.warning("Job %s failed: %s", job.id, problem.key)
        _set(job, FAILED, problem.sentence[:255])
    else:
        _set(job, DONE)


@retried
def hand_out(job: Job) -> None:
    """Claim the one download of the codes.

    Raises Conflict while the job is not done, when they were handed out, or are being so.
    """
    if job.status != DONE:
        raise Conflict("The job is not done", "job_not_done")
    now = clock.now()
    with change():
        claimed = (
            Job.update(handing_out_at=now)
            .where(
                Job.id == job.id,
                Job.handed_out_at.is_null(),
                # From far ahead: the clock was set back, and the download has long ended.
                Job.handing_out_at.is_null()
                | (Job.handing_out_at < now - HANDING_OUT_SECONDS)
                | (Job.handing_out_at > now + HANDING_OUT_SECONDS),
            )
            .execute()
        )
    if not claimed:
        raise Conflict("The codes of the job were handed out already", "codes_handed_out")


@retried
def handed_out(job: Job, whole: bool) -> None:
    """Say how the claimed download ended; one that broke off may be tried again."""
    with change():
        changes = {"handed_out_at": clock.now()} if whole else {"handing_out_at": None}
        Job.update(changes).where(Job.id == job.id, Job.handed_out_at.is_null()).execute()


@retried
def _set(job: Job, status: str, error: str | None = None) -> None:
    with change():
        Job.update(status=status, error=error, updated_at=clock.now()).where(
            Job.id == job.id, Job.status.in_((QUEUED, RUNNING))
        ).execute()
