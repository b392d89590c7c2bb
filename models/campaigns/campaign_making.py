"""Make batches of a campaign: generated, imported, or joined from a legacy batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import tzinfo
from functools import cache, partial
from typing import Any

from peewee import JOIN, chunked

from models.campaigns.campaign_codes import CodeAlias
from models.promotions import (
    batches,
    campaign_counts,
    code_spelling,
    coupon_lists,
    event_facts,
    generation,
)
from models.promotions.batches import Batch
from models.promotions.campaign_counts import Campaign, CampaignBatch, Owner
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions.use_rules import CAMPAIGN
from models.store import clock, visibility
from models.store.base import change, retried
from models.store.errors import Busy, Conflict, Invalid
from models.store.prepared import Prepared, numbered_slots, slot, slots
from models.store.texts import code_form
from models.webhooks.webhooks import BATCH_CREATED, BATCH_READY

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
    """Describe a new batch of a campaign; `expires_at` is Unix seconds."""

    points: int
    label: str | None = None
    expires_at: int | None = None


class CodesClash(Conflict):
    """Say which codes of a list cannot be taken, by their index."""

    def __init__(self, rejected: dict[int, str]) -> None:
        super().__init__("Some codes cannot be imported", "codes_clash")
        self.rejected = rejected


@retried
def start(campaign: Campaign, size: int, plan: Plan) -> CampaignBatch:
    """Make a batch that still has no codes. Raises Invalid when so many cannot be made."""
    prefix = code_spelling.prefix(campaign.slug)
    generation.check_room(prefix, generation.CLEAR, code_spelling.DRAWN, size, dense=True)
    with change():
        batch = _batch(campaign, plan, prefix=prefix, requested=size)
        added = _added(campaign, batch, size, plan)
        event_facts.tell_of_batch(BATCH_CREATED, batch.id, batch.realm, {"codes": size})
    return added


@retried
def generate(campaign: Campaign, size: int, plan: Plan) -> tuple[CampaignBatch, list[str]]:
    """Make a batch with its codes in one transaction and return both. Raises Invalid."""
    with change():
        batch = start(campaign, size, plan)
        generation.fill(Batch.get_by_id(batch.batch_id))
        return CampaignBatch.get_by_id(batch.batch_id), list(codes_of(batch))


@retried
def import_codes(
    campaign: Campaign,
    codes: Sequence[str],
    plan: Plan,
    skip: bool,
    on_foreign: Callable[[int], object] = lambda count: None,
) -> tuple[CampaignBatch, dict[int, str]]:
    """Make a batch of codes that came from elsewhere, all or none of them.

    With `skip` those that cannot be taken are left out: why is returned too, by their index in
    `codes`. `on_foreign` is told, before anything is changed and whenever this is run again, how
    many of them exist but are not the owner's. Raises CodesClash, and what `on_foreign` raises.
    """
    with change():
        folds = [code_spelling.folded(code) for code in codes]
        rejected, foreign = _clashes(campaign.owner, codes, folds)
        on_foreign(foreign)
        if rejected and not (skip and len(rejected) < len(codes)):
            raise CodesClash(rejected)
        taken = {code: folds[at] for at, code in enumerate(codes) if at not in rejected}
        batch = _batch(campaign, plan, requested=len(taken))
        _added(campaign, batch, len(taken), plan)
        _insert(campaign, batch, taken)
        for kind in (BATCH_CREATED, BATCH_READY):
            event_facts.tell_of_batch(kind, batch.id, batch.realm, {"codes": len(taken)})
        return CampaignBatch.get_by_id(batch.id), rejected


@retried
def join(campaign: Campaign, batch_id: int, points: int, zone: tzinfo) -> CampaignBatch:
    """Make a legacy batch one of the campaign's too: its codes then show in both APIs.

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
        if campaign_counts.campaign_of(batch_id) is not None:
            raise Conflict(f"The batch {batch_id} is in a campaign already", "batch_in_campaign")
        plan = Plan(points, batch.name, campaign_counts.end_of(terms.expires, zone))
        _added(campaign, batch, batch.coupons_count, plan)
        campaign_counts.recount(batch_id)
        return CampaignBatch.get_by_id(batch_id)


def codes_of(batch: CampaignBatch) -> Iterator[str]:
    """Yield the codes of a batch in the order they were made, in constant memory."""
    for rows in coupon_lists.slices_of_batch(("code",), batch.batch_id, SLICE):
        yield from (row[0] for row in rows)


def _batch(campaign: Campaign, plan: Plan, **fields: object) -> Batch:
    return batches.add(
        plan.label or campaign.name,
        Terms.of(coupon_type=CAMPAIGN, max_usage=1),
        realm=visibility.campaign_realm(campaign.environment),
        complexity=generation.CLEAR,
        length=code_spelling.DRAWN,
        **fields,
    )


def _added(campaign: Campaign, batch: Batch, size: int, plan: Plan) -> CampaignBatch:
    """Make a batch one of the campaign's."""
    Campaign.update(batches=Campaign.batches + 1).where(Campaign.id == campaign.id).execute()
    return CampaignBatch.create(
        batch_id=batch.id,
        uuid=clock.random_uuid(),
        campaign=campaign,
        number=Campaign.get_by_id(campaign.id).batches,
        size=size,
        created_at=clock.now(),
        **asdict(plan),
    )


def _clashes(
    owner: Owner, codes: Sequence[str], folds: Sequence[str]
) -> tuple[dict[int, str], int]:
    """Return why codes cannot be taken, by their index, and how many of them are of others."""
    forms = [code_form(code) or "" for code in codes]
    known = (
        _owned(owner, codes, partial(_live, "code")),
        _owned(owner, forms, partial(_live, "form")),
        _owned(owner, folds, _aliased),
    )
    rejected: dict[int, str] = {}
    foreign = 0
    first: set[str] = set()
    for at, (code, form, fold) in enumerate(zip(codes, forms, folds, strict=True)):
        found = [by[text] for by, text in zip(known, (code, form, fold), strict=True) if text in by]
        if fold in first:
            rejected[at] = REPEATED
        elif found:
            rejected[at] = EXISTS
            foreign += not all(found)
        first.add(fold)
    return rejected, foreign


def _owned(owner: Owner, texts: Sequence[str], known: Callable[[int], Prepared]) -> dict[str, bool]:
    """Return which of the texts a query knows, and whether each is the owner's.

    What is in no campaign is nobody's here.
    """
    found: dict[str, bool] = {}
    for some in chunked(texts, ROWS):
        rows = known(len(some)).rows(environment=owner.environment, **numbered_slots(some))
        found.update((text, partner == owner.partner) for text, partner in rows)
    return found


@cache
def _live(name: str, count: int) -> Prepared:
    """Return the query of so many live codes, or forms, and the partners whose they are."""
    column = getattr(Coupon, name)
    query = Coupon.select(column, Campaign.partner)
    which = column.in_(slots(count)), Coupon.live == slot("environment")
    return Prepared(lambda: _with_campaigns(query).where(*which))


@cache
def _aliased(count: int) -> Prepared:
    """Return the query of so many folded codes and the partners whose they are."""
    query = CodeAlias.select(CodeAlias.folded, Campaign.partner).join(
        Coupon, JOIN.LEFT_OUTER, on=(Coupon.id == CodeAlias.coupon_id)
    )
    which = CodeAlias.folded.in_(slots(count)), CodeAlias.environment == slot("environment")
    return Prepared(lambda: _with_campaigns(query).where(*which))


def _with_campaigns(query: Any) -> Any:
    batch = CampaignBatch.batch_id == Coupon.batch_id
    return query.join(CampaignBatch, JOIN.LEFT_OUTER, on=batch).join(Campaign, JOIN.LEFT_OUTER)


def _insert(campaign: Campaign, batch: Batch, folds: Mapping[str, str]) -> None:
    """Insert codes, and their folded forms by the id of each."""
    if generation.insert(batch, list(folds)) < len(folds):
        raise Busy  # one was made elsewhere since they were looked at
    rows: Any = Coupon.select(Coupon.code, Coupon.id).where(Coupon.batch_id == batch.id).tuples()
    for some in chunked(rows, ROWS):
        cells = [cell for code, id_ in some for cell in (folds[code], id_)]
        named = numbered_slots(cells)
        _add_aliases(len(some)).changed(environment=campaign.environment, **named)


@cache
def _add_aliases(count: int) -> Prepared:
    fields = [CodeAlias.environment, CodeAlias.folded, CodeAlias.coupon_id]
    rows = [[slot("environment"), *cells] for cells in chunked(slots(2 * count), 2)]
    return Prepared(lambda: CodeAlias.insert_many(rows, fields=fields))
