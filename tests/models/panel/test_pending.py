"""Writes that were sent to the panel: confirmed, undone, or open until somebody says."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from models.checks import recount
from models.panel import pending, settlement
from models.panel.pending import Heard, InDoubt, PanelPending
from models.promotions import batch_life, coupon_life, coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import redemptions, releases
from models.redemptions.redemption import USED, Redemption
from models.redemptions.use_rules import Use
from models.store.base import change
from models.store.errors import Conflict, NotFound

pytestmark = pytest.mark.usefixtures("store")
DAY = date(2030, 1, 1)
APPLY = "applyInvoiceCoupon"


def use(invoice_id: int) -> Use:
    return Use(DAY, 2, invoice_id=invoice_id)


def coupon(**terms: Any) -> Coupon:
    """Return the one coupon of a new batch."""
    made = batch_life.make("Batch", Terms.of(coupon_type="invoice", **terms), 1)
    return Coupon.get(Coupon.batch_id == made.id)


def sent(name: str = APPLY, digest: str = "d", seconds: int = 0, **fields: Any) -> PanelPending:
    with change():
        return pending.begin(name, digest, "here 1", seconds, **fields)


def reserved(one: Coupon, invoice_id: int = 7, digest: str = "d") -> PanelPending:
    """Return a use that is counted here and sent."""
    with change():
        made, counted = redemptions.redeem(one, use(invoice_id))
        return pending.begin(
            APPLY,
            digest,
            "here 1",
            0,
            code=one.code,
            invoice_id=invoice_id,
            coupon_id=one.id,
            redemption_id=made.id,
            reserved=counted,
        )


def uses(one: Coupon) -> tuple[int, int]:
    """Return how often a code is counted as used, and how many uses of it stand."""
    standing = Redemption.select().where(Redemption.state == USED, Redemption.coupon_id == one.id)
    assert list(recount.differences()) == []
    return coupons.current(one).num_usage, standing.count()


def test_a_use_that_the_panel_confirms_stays_counted_once() -> None:
    one = coupon(max_usage=1)
    row = reserved(one)
    assert settlement.ended(row.id, True, DAY).state == "applied"
    assert uses(one) == (1, 1)
    assert settlement.ended(row.id, False, DAY).state == "applied"
    assert uses(one) == (1, 1)


def test_a_use_that_the_panel_refuses_is_given_back() -> None:
    one = coupon(max_usage=1)
    row = reserved(one)
    assert settlement.ended(row.id, False, DAY).state == "refused"
    assert uses(one) == (0, 0)
    assert coupons.current(one).active


def test_a_refusal_leaves_the_use_of_an_earlier_call() -> None:
    one = coupon()
    settlement.ended(reserved(one).id, True, DAY)
    again = reserved(one, digest="other")
    assert not again.reserved
    settlement.ended(again.id, False, DAY)
    assert uses(one) == (1, 1)


def test_what_the_panel_grants_is_counted_over_every_limit_here() -> None:
    one = coupon(max_usage=1)
    redemptions.redeem(one, use(1))
    row = sent(code=one.code, invoice_id=2, refusal="code_used_up")
    ended = settlement.ended(row.id, True, DAY)
    assert uses(one) == (2, 2)
    assert not coupons.current(one).active
    assert Redemption.get_by_id(ended.redemption_id).invoice_id == 2
    assert ended.coupon_id == one.id


def test_what_the_panel_grants_again_on_an_invoice_is_one_use() -> None:
    one = coupon()
    redemptions.redeem(one, use(1))
    row = sent(code=one.code, invoice_id=1, refusal="busy")
    settlement.ended(row.id, True, DAY)
    assert uses(one) == (1, 1)


def test_a_code_that_is_not_here_cannot_be_counted() -> None:
    row = sent(code="NOWHERE", invoice_id=1, refusal="code_not_found")
    assert settlement.ended(row.id, True, DAY).redemption_id is None


def test_an_answer_that_comes_after_a_refusal_was_settled_counts() -> None:
    one = coupon()
    row = reserved(one)
    settlement.settle(row.id, False, DAY)
    assert uses(one) == (0, 0)
    settlement.ended(row.id, True, DAY)
    assert uses(one) == (1, 1)


def test_the_same_call_is_not_sent_while_its_outcome_is_open() -> None:
    first = sent(digest="same")
    with pytest.raises(InDoubt), change():
        pending.begin(APPLY, "same", "here 1", 60)
    settlement.ended(first.id, False, DAY)
    second = sent(digest="same")
    assert [row.id for row in pending.listed(10)] == [second.id]
    assert pending.count() == 1


def test_an_outcome_is_unknown_from_the_deadline_on() -> None:
    row = sent(seconds=60)
    assert row.outcome == "sent"
    with pytest.raises(Conflict, match=r"may still answer call \d+: wait \d+ seconds"):
        settlement.settle(row.id, True, DAY)
    assert pending.in_flight(APPLY) == 1
    pending.out_of_time(row.id)
    assert pending.in_flight(APPLY) == 0
    assert pending.listed(1)[0].outcome == "unknown"
    assert settlement.settle(row.id, True, DAY).state == "applied"
    with pytest.raises(Conflict, match=f"Call {row.id} has ended: applied"):
        settlement.settle(row.id, False, DAY)
    with pytest.raises(NotFound, match="There is no pending call 99"):
        settlement.settle(99, True, DAY)


def test_a_code_that_the_panel_refused_to_make_is_gone() -> None:
    with change():
        made = coupons.add("NEW", Terms.of())
        row = pending.begin(
            "addPromoCode", "d", "here 1", 0, code="NEW", coupon_id=made.id, reserved=True
        )
    settlement.ended(row.id, False, DAY)
    assert not Coupon.select().exists()
    assert list(recount.differences()) == []


def changed(one: Coupon, **changes: Any) -> PanelPending:
    """Return a change of a coupon that is made here and sent."""
    with change():
        before = settlement.state_of(coupons.locked_by_id(one.id))
        coupon_life.edit(one.id, DAY, **changes)
        after = settlement.state_of(coupons.current(one))
        fields = {"coupon_id": one.id, "before": before, "after": after, "reserved": True}
        return pending.begin("updatePromoCode", "d", "here 1", 0, code=one.code, **fields)


def test_a_change_that_the_panel_refused_is_undone() -> None:
    one = coupon(value=5)
    before = settlement.state_of(one)
    row = changed(one, code="OTHER", terms=lambda held: Terms.of(max_usage=3), live=False)
    assert coupons.current(one).code == "OTHER"
    settlement.ended(row.id, False, DAY)
    assert settlement.state_of(coupons.current(one)) == before
    assert coupons.current(one).active
    assert list(recount.differences()) == []


def test_a_change_is_not_undone_over_a_later_one() -> None:
    one = coupon()
    row = changed(one, code="OTHER")
    coupon_life.edit(one.id, DAY, code="LATER")
    settlement.ended(row.id, False, DAY)
    assert coupons.current(one).code == "LATER"


def test_what_cannot_be_undone_any_more_stays() -> None:
    one = coupon()
    row = changed(one, code="OTHER")
    coupons.add(one.code, Terms.of())
    assert settlement.ended(row.id, False, DAY).state == "refused"
    assert coupons.current(one).code == "OTHER"
    coupon_life.delete(one.id)
    assert list(recount.differences()) == []


def test_uses_that_the_panel_counts_too_are_told_by_coupon() -> None:
    one, other = coupon(), coupon()
    for invoice in (1, 2, 3):
        row = reserved(one, invoice, str(invoice))
        settlement.ended(row.id, True, DAY)
    releases.give_back(Redemption.get_by_id(row.redemption_id), DAY)
    reserved(other, 4, "open")
    PanelPending.update(ended_at=100).where(PanelPending.invoice_id == 1).execute()
    PanelPending.update(ended_at=200).where(PanelPending.invoice_id == 2).execute()
    ids = [one.id, other.id]
    assert pending.uses(ids, Heard(201, frozenset())) == ({one.id: 2}, {other.id})
    assert pending.uses(ids, Heard(200, frozenset())) == ({one.id: 1}, {one.id, other.id})
    second = PanelPending.get(PanelPending.invoice_id == 2)
    assert pending.uses(ids, Heard(200, frozenset([second.id]))) == ({one.id: 2}, {other.id})
    again = reserved(one, 1, "again")  # on an invoice that has the use already
    settlement.ended(again.id, True, DAY)
    PanelPending.update(ended_at=150).where(PanelPending.id == again.id).execute()
    assert pending.uses(ids, Heard(201, frozenset())) == ({one.id: 2}, {other.id})
