"""Campaigns, each in one environment and of one partner, and their batches."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

from peewee import IntegrityError, fn

from models.campaigns import endings
from models.promotions.campaign_counts import (
    ACTIVE,
    ENDED,
    NAME_LENGTH,
    PARTNER_LENGTH,
    PAUSED,
    Campaign,
    CampaignBatch,
    Owner,
)
from models.store import audit, clock
from models.store.base import change, retried
from models.store.errors import Conflict, Invalid, NotFound
from models.store.prepared import Prepared, slot
from models.store.texts import is_one_line

STATUSES = (ACTIVE, PAUSED, ENDED)
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
RESERVED_SLUGS = frozenset({"codes"})
"""Slugs that are parts of paths."""


@retried
def add(owner: Owner, slug: str, name: str, **fields: Any) -> Campaign:
    """Make a campaign; `fields` are its status, starts_at and ends_at.

    Raises Invalid, and Conflict when the owner has the slug already.
    """
    if not SLUG.fullmatch(slug) or slug in RESERVED_SLUGS:
        raise Invalid(
            "A slug is 2 to 63 lower-case letters, digits and hyphens, begins with no hyphen, "
            f"and is none of: {', '.join(sorted(RESERVED_SLUGS))}",
            "slug_invalid",
        )
    now = clock.now()
    campaign = Campaign(
        uuid=clock.random_uuid(),
        slug=slug,
        name=name,
        created_at=now,
        updated_at=now,
        **asdict(owner),
        **fields,
    )
    _check(campaign)
    try:
        with change():
            campaign.save()
            audit.note("made", "campaign", campaign.id, slug)
    except IntegrityError as problem:
        raise Conflict(f"There is a campaign {slug} already", "campaign_exists") from problem
    return campaign


@retried
def edit(owner: Owner, slug: str, **changes: Any) -> Campaign:
    """Change the name, status, starts_at or ends_at. Raises NotFound and Invalid."""
    with change():
        campaign = by_slug(owner, slug)
        before = {name: getattr(campaign, name) for name in changes}
        was_over, was_to_end = campaign.ended, campaign.ends_at
        for name, value in changes.items():
            setattr(campaign, name, value)
        _check(campaign)
        campaign.updated_at = clock.now()
        campaign.save(only=[*changes, "updated_at"])  # its counts are others' to change
        audit.note("edited", "campaign", campaign.id, slug, before, changes)
        if campaign.ended and not was_over:
            endings.tell_ended(campaign, campaign.updated_at)
        elif was_over and was_to_end is not None and campaign.status == ENDED:
            endings.tell_ended(campaign, was_to_end)  # no sweep has to look at it any more
    return campaign


def by_slug(owner: Owner, slug: str) -> Campaign:
    """Return a campaign. Raises NotFound."""
    found = by_slug_or_none(owner, slug)
    if found is None:
        raise NotFound("Campaign not found", "campaign_not_found")
    return found


def by_slug_or_none(owner: Owner, slug: str) -> Campaign | None:
    """Return a campaign, None when the owner has none with this slug."""
    row = _by_slug.first(environment=owner.environment, partner=owner.partner, slug=slug)
    return Campaign.of_row(row) if row else None


def page(owner: Owner, after: str, limit: int) -> list[Campaign]:
    """Return campaigns of an owner by their slugs, those behind one."""
    own = Campaign.environment == owner.environment, Campaign.partner == owner.partner
    query = Campaign.select().where(*own, Campaign.slug > after)
    return list(query.order_by(Campaign.slug).limit(limit))


def listed() -> list[Campaign]:
    """Return all campaigns in the order they were made."""
    return list(Campaign.select().order_by(Campaign.id))


def batch_by_uuid(uuid: str, of: Campaign | Owner) -> CampaignBatch:
    """Return a batch of the campaign, or of any campaign of the owner. Raises NotFound."""
    found = CampaignBatch.get_or_none(uuid=uuid.lower())
    if found is None or of not in (found.campaign, found.campaign.owner):
        raise NotFound("Batch not found", "batch_not_found")
    return found


def newest_batches(campaign: Campaign, until: int, page: int, limit: int) -> list[CampaignBatch]:
    """Return a page, counted from 1, of the batches numbered up to `until`, newest first."""
    last = until - (page - 1) * limit
    numbers = CampaignBatch.number.between(last - limit + 1, last)
    query = CampaignBatch.select().where(CampaignBatch.campaign == campaign, numbers)
    found = list(query.order_by(CampaignBatch.number.desc()))
    for batch in found:
        batch.campaign = campaign
    return found


def expired_codes(campaign: Campaign) -> int:
    """Return how many codes can no longer be used only because their time has passed."""
    left = CampaignBatch.total - CampaignBatch.redeemed - CampaignBatch.revoked
    return (
        CampaignBatch.select(fn.COALESCE(fn.SUM(left), 0))
        .where(CampaignBatch.campaign == campaign, CampaignBatch.expires_at <= clock.now())
        .scalar()
    )


_by_slug = Prepared(
    lambda: Campaign.select().where(
        Campaign.environment == slot("environment"),
        Campaign.partner == slot("partner"),
        Campaign.slug == slot("slug"),
    )
)


def _check(campaign: Campaign) -> None:
    if not 1 <= len(campaign.name) <= NAME_LENGTH or not campaign.name.isprintable():
        raise Invalid(f"The name of a campaign is 1 to {NAME_LENGTH} printable characters")
    if len(campaign.partner) > PARTNER_LENGTH or not is_one_line(campaign.partner):
        raise Invalid(f"The name of a partner is one line of {PARTNER_LENGTH} characters at most")
    starts_at, ends_at = campaign.starts_at, campaign.ends_at
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        raise Invalid("A campaign ends after it starts", "ends_before_start")
