"""promobridge campaign: make, list and change campaigns; their codes, and the jobs they have."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from app import config
from app.cli import campaign_rows
from app.cli.output import ID, fields_of, printed, time_text, warn
from models.campaigns import campaign_making, campaigns, jobs
from models.campaigns.campaigns import STATUSES
from models.campaigns.jobs import Job
from models.promotions.campaign_counts import Campaign, Owner
from models.store import clock, visibility

EXAMPLES = """\b
Examples:
  promobridge campaign add summer-promo --name "Summer Promo" --ends 2030-08-31T23:59:59Z
  promobridge campaign add summer-promo --name "Trying it out" --test
  promobridge campaign edit summer-promo --status paused
  promobridge campaign join summer-promo 7 --points 500
  promobridge campaign codes summer-promo
  promobridge campaign code SUMM-7K3QX9AZ
  promobridge campaign jobs
"""
UNSET = "none"
COLUMNS = (
    *("id", "slug", "environment", "partner", "name", "status", "starts", "ends"),
    *("batches", "codes", "redeemed", "revoked", "created"),
)
JOB_COLUMNS = (
    *("id", "slug", "environment", "partner", "status"),
    *("requested", "created", "ordered"),
)


def moment(text: str) -> int | str:
    """Return ISO 8601 as Unix seconds, or UNSET. Raises BadParameter for what has no zone."""
    if text == UNSET:
        return text
    with suppress(ValueError, OverflowError):
        read = datetime.fromisoformat(text)
        if read.tzinfo:
            # Outside of the years that these are in, it could not be shown again.
            return int(read.astimezone(UTC).timestamp())
    raise click.BadParameter("must be a time with a zone such as 2030-12-31T23:59:59Z, or none")


def _warn_if_over(context: click.Context, param: click.Parameter, end: Any) -> Any:
    if isinstance(end, int) and end <= clock.now():
        warn(f"--ends {time_text(end)} is over: the codes cannot be redeemed")
    return end


whose = click.option("--partner", default="", help="The partner whose campaign it is.")
test = click.option("--test", is_flag=True, help="In the TEST environment, not LIVE.")
starts = click.option(
    "--starts",
    "starts_at",
    type=moment,
    metavar="TIME",
    help="When its codes can first be redeemed.",
)
ends = click.option(
    "--ends",
    "ends_at",
    type=moment,
    callback=_warn_if_over,
    metavar="TIME",
    help="When they no longer can.",
)


@click.group(name="campaign", epilog=EXAMPLES)
def command() -> None:
    """Make, list and change campaigns of the REST API, show their codes."""


for each in (campaign_rows.codes, campaign_rows.code):
    command.add_command(each)


@command.command(epilog="Example: promobridge campaign add summer-promo --name Summer --json")
@click.argument("slug", metavar="SLUG")
@click.option("--name", required=True, help="What users see.")
@click.option("--status", type=click.Choice(STATUSES), default="active", show_default=True)
@starts
@ends
@test
@whose
@printed()
def add(slug: str, test: bool, partner: str, **options: Any) -> dict[str, Any]:
    """Make a campaign; its slug stays what it is."""
    return _described(campaigns.add(_owner(test, partner), slug, **_given(options)))


@command.command(name="list", epilog="Example: promobridge campaign list --json")
@printed("slug", "environment", "partner", "status", "codes", "redeemed", "revoked", "name")
def list_() -> list[dict[str, Any]]:
    """List the campaigns with the counts of their codes, in the order they were made."""
    return [_described(campaign) for campaign in campaigns.listed()]


@command.command(epilog="Example: promobridge campaign edit summer-promo --status ended")
@click.argument("slug", metavar="SLUG")
@click.option("--name", help="What users see.")
@click.option("--status", type=click.Choice(STATUSES))
@starts
@ends
@test
@whose
@printed()
def edit(slug: str, test: bool, partner: str, **options: Any) -> dict[str, Any]:
    """Change a campaign; what is not given stays, and `none` unsets a time."""
    changes = _given(options)
    if not changes:
        raise click.UsageError("Say what to change.")
    return _described(campaigns.edit(_owner(test, partner), slug, **changes))


@command.command(epilog="Example: promobridge campaign join summer-promo 7 --points 500")
@click.argument("slug", metavar="SLUG")
@click.argument("batch_id", metavar="BATCH", type=ID)
@click.option("--points", type=ID, required=True)
@whose
@printed()
def join(slug: str, batch_id: int, points: int, partner: str) -> dict[str, Any]:
    """Let a batch of discounts belong to a campaign too: its codes then show in both APIs.

    Its codes must be for one use each (--max-usage 1).
    """
    campaign = campaigns.by_slug(_owner(False, partner), slug)
    zone = ZoneInfo(config.from_environment().timezone)
    joined = campaign_making.join(campaign, batch_id, points, zone)
    return {"id": joined.uuid, "batch": batch_id, "codes": joined.total, "points": points}


@command.command(name="jobs", epilog="Example: promobridge campaign jobs --json")
@printed(*JOB_COLUMNS)
def jobs_() -> list[dict[str, Any]]:
    """List the jobs that have not ended, as the workers take them."""
    return [_described_job(job) for job in jobs.unfinished()]


@command.command(
    epilog="Example: promobridge campaign cancel 0f8fad5b-d9cb-469f-a165-70867728950e --json"
)
@click.argument("job_id", metavar="JOB")
@printed()
def cancel(job_id: str) -> dict[str, Any]:
    """Cancel a job that has not ended, by its id; the codes that it has made are revoked.

    One whose cancelling was broken off is gone on with.
    """
    return _described_job(jobs.cancel(jobs.by_uuid(None, job_id)))


def _owner(test: bool, partner: str) -> Owner:
    return Owner(visibility.TEST if test else visibility.LIVE, partner)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that were given, None for a time that is unset."""
    return {
        name: None if name.endswith("_at") and value == UNSET else value
        for name, value in options.items()
        if value is not None
    }


def _described(campaign: Campaign) -> dict[str, Any]:
    return fields_of(
        campaign,
        COLUMNS,
        id=campaign.uuid,
        environment=visibility.environment_name(campaign.environment),
        starts=time_text(campaign.starts_at),
        ends=time_text(campaign.ends_at),
        created=time_text(campaign.created_at),
    )


def _described_job(job: Job) -> dict[str, Any]:
    return fields_of(
        job,
        JOB_COLUMNS,
        id=job.uuid,
        slug=job.campaign.slug,
        environment=visibility.environment_name(job.campaign.environment),
        partner=job.campaign.partner,
        ordered=time_text(job.created_at),
    )
