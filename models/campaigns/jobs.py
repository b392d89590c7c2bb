"""Jobs: batches too large for one request, made by workers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from peewee import (
    BigIntegerField,
    Case,
    CharField,
    ForeignKeyField,
    IntegerField,
    SmallIntegerField,
    fn,
)

from models.campaigns import campaign_making, revocations
from models.campaigns.campaign_making import Plan
from models.promotions import generation
from models.promotions.batches import Batch
from models.promotions.campaign_counts import PARTNER_LENGTH, Campaign, CampaignBatch, Owner
from models.store import clock
from models.store.base import Row, change, retried
from models.store.errors import Busy, Conflict, NotFound, OverQuota, PromoError

QUEUED, RUNNING, DONE, FAILED = "queued", "running", "done", "failed"
CANCELLING, CANCELLED = "cancelling", "cancelled"
STATUSES = (QUEUED, RUNNING, DONE, FAILED, CANCELLING, CANCELLED)
OPEN = (QUEUED, RUNNING)
CODES_MOST = 5_000_000
RETRY_SECONDS = 60
"""When one whose jobs are too many may ask again: a worker makes some million codes meanwhile."""
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


class JobQueue(Row):
    """Keep where one owner's orders meet: each changes this row, so of two at once one waits.

    On two nodes of a cluster, where no lock is shared, one of them fails for it and is repeated.
    """

    environment = SmallIntegerField()
    partner = CharField(max_length=PARTNER_LENGTH)
    orders = BigIntegerField(default=0)

    class Meta:
        indexes = ((("environment", "partner"), True),)


@dataclass(frozen=True)
class Quota:
    """Limit the open jobs of one owner, and the codes that they still have to make."""

    jobs: int = 10
    codes: int = 2 * CODES_MOST


@retried
def add(campaign: Campaign, size: int, plan: Plan, quota: Quota = Quota()) -> Job:
    """Queue a batch of codes. Raises Invalid when so many cannot be made, and OverQuota."""
    now = clock.now()
    with change():
        _require_room(campaign.owner, size, quota)
        return Job.create(
            batch=campaign_making.start(campaign, size, plan),
            uuid=clock.random_uuid(),
            campaign=campaign,
            requested=size,
            created_at=now,
            updated_at=now,
        )


def by_uuid(owner: Owner | None, uuid: str) -> Job:
    """Return a job of the owner, without one of any. Raises NotFound."""
    job = Job.get_or_none(uuid=uuid.lower())
    if job is None or owner not in (None, job.campaign.owner):
        raise NotFound("Job not found", "job_not_found")
    return job


def unfinished() -> Any:
    """Return the query of the jobs that workers have something to do for, the next one first."""
    which = Job.select().where(Job.status.in_((*OPEN, CANCELLING)))
    return which.order_by(Case(Job.status, ((RUNNING, 0), (CANCELLING, 1)), 2), Job.id)


def next_unfinished() -> Job | None:
    """Return the job to work on: one that was begun before any other."""
    found: Job | None = unfinished().first()
    return found


def work(
    job: Job,
    on_progress: Callable[[int], object] = lambda count: None,
    chunk: int = generation.CHUNK,
) -> None:
    """Make the codes that a job still lacks; several workers may do so at once.

    `on_progress` is told how many codes came since it was last told. A refusal of the store ends
    the job with its sentence. What is left of a cancelled one is revoked.
    """
    if job.status == CANCELLING:
        cancel(job)
        return
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


def cancel(job: Job, most: int = CODES_MOST) -> Job:
    """Cancel an open job, revoke the codes it has made, and return it.

    Nobody was shown these codes, so they stay revoked. More than `most` are left to a worker, as is
    what was broken off; a job that is cancelled stays so. Raises Conflict for one that has ended
    otherwise.
    """
    if _stop(job) and job.created <= most:
        revocations.revoke_for_good(CampaignBatch.get_by_id(job.batch_id))
        _set(job, CANCELLED, only=(CANCELLING,))
    return Job.get_by_id(job.id)


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


def _require_room(owner: Owner, size: int, quota: Quota) -> None:
    """Raise OverQuota when the owner's open jobs leave no room for one of so many codes."""
    JobQueue.insert(**asdict(owner)).on_conflict_ignore().execute()
    # A change comes first: what is counted then stays so until this transaction ends.
    JobQueue.update(orders=JobQueue.orders + 1).where(
        JobQueue.environment == owner.environment, JobQueue.partner == owner.partner
    ).execute()
    to_make = fn.COALESCE(fn.SUM(Job.requested - Batch.made), 0)
    still: Any = (
        Job.select(fn.COUNT(Job.id), to_make)
        .join(Campaign)
        .switch(Job)
        .join(Batch, on=(Batch.id == Job.batch_id))
        .where(
            Job.status.in_(OPEN),
            Campaign.environment == owner.environment,
            Campaign.partner == owner.partner,
        )
        .tuples()
    )
    count, codes = still.get()
    if count >= quota.jobs or codes + size > quota.codes:
        raise OverQuota(
            "Too many jobs are open, or too many codes still to be made: "
            "wait for one to end, or cancel one",
            "job_quota",
            RETRY_SECONDS,
        )


@retried
def _stop(job: Job) -> bool:
    """Let no more codes be made for a job; tell whether those there are may still be live.

    Raises Conflict for one that has ended otherwise.
    """
    with change():
        if _set(job, CANCELLING):
            # A worker holds the batch for the whole of a chunk: its codes are there by then, and
            # after this change it finds that no more are wanted.
            Batch.update(requested=Batch.made).where(Batch.id == job.batch_id).execute()
            CampaignBatch.update(size=CampaignBatch.total).where(
                CampaignBatch.batch_id == job.batch_id
            ).execute()
            return True
        status = Job.get_by_id(job.id).status
        if status not in (CANCELLING, CANCELLED):
            raise Conflict("The job has ended already", "job_ended")
        return bool(status == CANCELLING)


@retried
def _set(job: Job, status: str, error: str | None = None, only: Sequence[str] = OPEN) -> bool:
    """Give a job another status, if it has one of those; tell whether."""
    with change():
        changes = {"status": status, "error": error, "updated_at": clock.now()}
        return bool(Job.update(changes).where(Job.id == job.id, Job.status.in_(only)).execute())
