"""Make batches of a campaign: generated, imported, or joined from a legacy batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Any

from models.campaigns import campaign_batches
from models.campaigns.campaign_codes import CodeAlias
from models.promotions import batches, campaign_counts, code_spelling, generation
from models.promotions.batches import Batch
from models.promotions.campaign_counts import Campaign, CampaignBatch
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions.use_rules import CAMPAIGN
from models.store import counters, visibility
from models.store.base import change, retried
from models.store.errors import Conflict, Invalid

GENERATED_MOST = 10_000
"""Codes that one call makes; more are a job."""
ROWS = 100
"""Rows in one statement."""
SLICE = 10_000
"""Codes that are read at once."""
REPEATED = "is in the list twice"
EXISTS = "exists already"


@dataclass(frozen=True)
class Plan:
    """Say what a new batch of a campaign is; `expires_at` is Unix seconds."""

    points: int
    label: str | None = None
    expires_at: int | None = None


@dataclass
class Brought:
    """Hold the outcome of an import: the batch, and why codes were left out, by their index."""

    batch: CampaignBatch
    count: int
    rejected: dict[int, str] = field(default_factory=dict)


class CodesClash(Conflict):
    """Say which codes of a list cannot be taken, by their index."""

    def __init__(self, rejected: dict[int, str]) -> None:
        super().__init__("Some codes cannot be imported", "codes_clash")
        self.rejected = rejected


@retried
def start(campaign: Campaign, size: int, plan: Plan) -> tuple[CampaignBatch, Batch]:
    """Make a batch that still has no codes. Raises Invalid when so many cannot be made."""
    prefix = code_spelling.prefix(campaign.slug)
    generation.check_room(prefix, generation.CLEAR, code_spelling.DRAWN, size, dense=True)
    with change():
        batch = _batch(campaign, plan, prefix=prefix, requested=size)
        return _joined(campaign, batch, size, plan), batch


@retried
def generate(campaign: Campaign, size: int, plan: Plan) -> tuple[CampaignBatch, list[str]]:
    """Make a batch with its codes in one transaction and return both. Raises Invalid."""
    with change():
        made, batch = start(campaign, size, plan)
        generation.fill(batch, lambda count: None)
        return CampaignBatch.get_by_id(made.batch_id), list(codes_of(made))


@retried
def bring(campaign: Campaign, codes: Sequence[str], plan: Plan, skip: bool) -> Brought:
    """Make a batch of codes that came from elsewhere, all or none of them.

    With `skip` those that cannot be taken are left out. Raises CodesClash.
    """
    with change():
        rejected = _clashes(campaign.environment, codes)
        if rejected and not (skip and len(rejected) < len(codes)):
            raise CodesClash(rejected)
        taken = [code for at, code in enumerate(codes) if at not in rejected]
        batch = _batch(campaign, plan, requested=len(taken), made=len(taken))
        _insert(campaign, batch, taken)
        made = _joined(campaign, batch, len(taken), plan)
        batches.bump(batch.id, coupons_count=len(taken))
        campaign_counts.count_made(batch.id, len(taken))
        counters.add(counters.CAMPAIGN_COUPONS, len(taken))
        return Brought(CampaignBatch.get_by_id(made.batch_id), len(taken), rejected)


@retried
def join(campaign: Campaign, batch_id: int, points: int, zone: tzinfo) -> CampaignBatch:
    """Make a legacy batch one of the campaign's too: its codes then show in both dialects.

    They expire at the end of their last day in the zone. Raises NotFound, Invalid for a batch
    whose codes are not for one use, and Conflict for one that is in a campaign or unfinished.
    """
    with change():
        batch = batches.by_id(batch_id)
        terms = batch.terms
        if campaign.environment != visibility.LIVE:
            raise Invalid("Batches of the legacy dialect are LIVE: the campaign is not")
        if terms.max_usage != 1:
            raise Invalid("Codes of a campaign are for one use: edit the batch to max_usage 1")
        if not batch.complete:
            raise Conflict("The codes of the batch are still being made", "batch_unfinished")
        if CampaignBatch.get_or_none(CampaignBatch.batch_id == batch_id):
            raise Conflict(f"The batch {batch_id} is in a campaign already", "batch_in_campaign")
        plan = Plan(points, batch.name, campaign_counts.end_of(terms.expires, zone))
        _joined(campaign, batch, batch.coupons_count, plan)
        campaign_counts.recount(batch_id)
        return CampaignBatch.get_by_id(batch_id)


def codes_of(batch: CampaignBatch) -> Iterator[str]:
    """Yield the codes of a batch in the order they were made, in flat memory."""
    last = 0
    while True:
        query: Any = (
            Coupon.select(Coupon.id, Coupon.code)
            .where(Coupon.batch_id == batch.batch_id, Coupon.id > last)
            .order_by(Coupon.id)
            .limit(SLICE)
            .tuples()
        )
        rows = list(query)
        if not rows:
            return
        last = rows[-1][0]
        for _, code in rows:
            yield code


def _batch(campaign: Campaign, plan: Plan, **fields: object) -> Batch:
    return batches.add(
        plan.label or campaign.name,
        Terms.of(coupon_type=CAMPAIGN, max_usage=1),
        realm=visibility.own(campaign.environment),
        complexity=generation.CLEAR,
        length=code_spelling.DRAWN,
        **fields,
    )


def _joined(campaign: Campaign, batch: Batch, size: int, plan: Plan) -> CampaignBatch:
    return campaign_batches.add(
        campaign,
        batch.id,
        size=size,
        points=plan.points,
        label=plan.label,
        expires_at=plan.expires_at,
    )


def _clashes(environment: int, codes: Sequence[str]) -> dict[int, str]:
    """Return why codes cannot be taken, by their index."""
    rejected: dict[int, str] = {}
    first: set[str] = set()
    for start_ in range(0, len(codes), ROWS):
        some = codes[start_ : start_ + ROWS]
        folds = [code_spelling.folded(code) for code in some]
        live = _column(Coupon.code, Coupon.code.in_(some), Coupon.live == environment)
        known = _column(
            CodeAlias.folded, CodeAlias.folded.in_(folds), CodeAlias.environment == environment
        )
        for at, (code, fold) in enumerate(zip(some, folds, strict=True), start_):
            if fold in first:
                rejected[at] = REPEATED
            elif code in live or fold in known:
                rejected[at] = EXISTS
            first.add(fold)
    return rejected


def _column(column: Any, *which: Any) -> set[str]:
    return {row[0] for row in column.model.select(column).where(*which).tuples()}


def _insert(campaign: Campaign, batch: Batch, codes: Sequence[str]) -> None:
    row = {
        "batch_id": batch.id,
        "terms": batch.terms_id,
        "live": campaign.environment,
        "realm": batch.realm,
    }
    for at in range(0, len(codes), ROWS):
        some = codes[at : at + ROWS]
        Coupon.insert_many([row | {"code": code} for code in some]).execute()
        rows: Any = (
            Coupon.select(Coupon.code, Coupon.id)
            .where(Coupon.code.in_(some), Coupon.live == campaign.environment)
            .tuples()
        )
        ids: dict[str, int] = dict(rows)
        CodeAlias.insert_many(
            [
                {
                    "environment": campaign.environment,
                    "folded": code_spelling.folded(code),
                    "coupon_id": ids[code],
                }
                for code in some
            ]
        ).execute()
