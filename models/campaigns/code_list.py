"""List the codes of a campaign by cursor, so that pages stay in place while codes are added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import chunked

from models.campaigns import campaign_codes
from models.campaigns.campaign_codes import (
    ACTIVE,
    EXPIRED,
    REDEEMED,
    REVOKED,
    CampaignCode,
    CodeAlias,
)
from models.promotions import code_spelling, coupon_lists
from models.promotions.batches import Batch
from models.promotions.campaign_counts import Campaign, CampaignBatch
from models.promotions.coupons import CODE_LENGTH, Coupon
from models.redemptions.redemption import USED, Redemption

CURSOR = r"[0-9]{1,9}\.[0-9]{1,18}"
"""The pattern of a cursor: the number of a batch and the id of its last code that was seen."""
LOOKED_AT = 10_000
"""Codes that one page looks at: one that finds few of a rare status ends early, with a cursor."""
SLICE = 1_000
COLUMNS = Coupon._meta.sorted_field_names[:-1]
"""All columns of a coupon but its terms, which come last in any case."""
NEWEST = 2_147_483_647
"""No batch has a higher number."""
BATCHES = 200


@dataclass(frozen=True)
class ListedCode(CampaignCode):
    """Hold one code of the list, masked, with its current redemption."""

    masked: str
    redemption: Redemption | None

    @property
    def user_id(self) -> str | None:
        """Return who redeemed it, None for a use in the legacy API."""
        return (self.redemption.user_id or None) if self.redemption else None


def page(
    campaign: Campaign,
    cursor: str | None,
    limit: int,
    wanted: str | None = None,
    batch: CampaignBatch | None = None,
) -> tuple[list[ListedCode], str | None]:
    """Return up to `limit` codes behind the cursor, and the cursor of the next page or None.

    The newest batch comes first, and within one the code that was made first. `wanted` is a
    status. A page may hold fewer codes than the limit, or none, though more follow.
    """
    if cursor is not None:
        number, last = map(int, cursor.split("."))
    else:
        number, last = (batch.number if batch else NEWEST), 0
    found: list[CampaignCode] = []
    looked_at = 0
    for here in _batches(campaign, number, wanted, batch):
        for coupon in _coupons(here, last if here.number == number else 0):
            looked_at += 1
            code = CampaignCode(coupon, here)
            if wanted is None or code.status == wanted:
                found.append(code)
            if len(found) == limit or looked_at == LOOKED_AT:
                return _listed(found), f"{here.number}.{coupon.id}"
    return _listed(found), None


def of_batch(batch: CampaignBatch) -> Iterator[ListedCode]:
    """Yield all codes of a batch in the order they were made, in constant memory."""
    for some in chunked(_coupons(batch), SLICE):
        yield from _listed([CampaignCode(coupon, batch) for coupon in some])


def listed(code: CampaignCode) -> ListedCode:
    """Return one code as it is listed, with its standing redemption."""
    return _listed([code])[0]


def everywhere(text: str) -> list[CampaignCode]:
    """Return the code that a text stands for in the data of each owner who has one.

    Only owners who have a code like it are asked.
    """
    found: Any = (
        Campaign.select()
        .join(CampaignBatch)
        .join(Coupon, on=(Coupon.batch_id == CampaignBatch.batch_id))
        .where(Coupon.id.in_(_alike(text)))
        .order_by(Campaign.id)
    )
    owners = dict.fromkeys(campaign.owner for campaign in found)
    return [code for owner in owners if (code := campaign_codes.find(owner, text))]


def _alike(text: str) -> set[int]:
    """Return the ids of the coupons that a text may stand for, whose ever they are."""
    forms = code_spelling.candidate_forms(text)
    folded = code_spelling.folded(text)[:CODE_LENGTH]
    spelled = (Coupon.code == text.strip()) | Coupon.form.in_(forms)
    aliases = CodeAlias.select(CodeAlias.coupon_id).where(CodeAlias.folded == folded)
    queries: tuple[Any, ...] = Coupon.select(Coupon.id).where(spelled), aliases
    return {row_id for query in queries for (row_id,) in query.tuples()}


def _batches(
    campaign: Campaign, number: int, wanted: str | None, only: CampaignBatch | None
) -> Iterator[CampaignBatch]:
    """Yield the batches that can hold such a code, newest first, from one number down."""
    if only is not None:
        if number == only.number:
            yield only
        return
    unused = CampaignBatch.total > CampaignBatch.redeemed + CampaignBatch.revoked
    holds = {
        None: CampaignBatch.total > 0,
        ACTIVE: unused,
        EXPIRED: unused & CampaignBatch.expires_at.is_null(False),
        REDEEMED: CampaignBatch.redeemed > 0,
        REVOKED: CampaignBatch.revoked > 0,
    }[wanted]
    while True:
        some = list(
            CampaignBatch.select()
            .where(CampaignBatch.campaign == campaign, CampaignBatch.number <= number, holds)
            .order_by(CampaignBatch.number.desc())
            .limit(BATCHES)
        )
        for batch in some:
            if wanted not in (ACTIVE, EXPIRED) or batch.expired == (wanted == EXPIRED):
                yield batch
        if len(some) < BATCHES:
            return
        number = some[-1].number - 1


def _coupons(batch: CampaignBatch, after: int = 0) -> Iterator[Coupon]:
    """Yield the coupons of a batch whose ids are over `after`, in slices of one query each."""
    for rows in coupon_lists.slices_of_batch(COLUMNS, batch.batch_id, SLICE, after):
        yield from map(Coupon.of_row, rows)


def _listed(codes: Sequence[CampaignCode]) -> list[ListedCode]:
    used = [code.coupon.id for code in codes if code.coupon.num_usage]
    standing = Redemption.select().where(Redemption.coupon_id.in_(used), Redemption.state == USED)
    redemption_of = {redemption.coupon_id: redemption for redemption in standing}
    ids = {code.batch.batch_id for code in codes}
    rows: Any = Batch.select(Batch.id, Batch.prefix).where(Batch.id.in_(ids)).tuples()
    prefix_of: dict[int, str] = dict(rows)
    return [
        ListedCode(
            code.coupon,
            code.batch,
            code_spelling.masked(code.coupon.code, prefix_of.get(code.batch.batch_id, "")),
            redemption_of.get(code.coupon.id),
        )
        for code in codes
    ]
