"""Codes are one by their form: found without case, blanks around and Unicode form, live once."""

from __future__ import annotations

from datetime import date

import pytest

from models.campaigns import campaign_codes, campaign_making, campaigns
from models.campaigns.campaign_making import Plan
from models.imports import own_codes
from models.imports.own_codes import OwnCode, OwnCodeImport
from models.promotions import batch_life, coupon_life, coupons
from models.promotions.campaign_counts import Owner
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import redemption_log, redemptions
from models.redemptions.use_rules import Use
from models.store.base import change
from models.store.errors import Conflict, NotFound
from models.store.texts import FORM_LENGTH, TYPED_LENGTH, code_form
from models.store.visibility import LIVE

pytestmark = pytest.mark.usefixtures("store")
TODAY = date(2026, 11, 30)
FULL_WIDTH = "".join(chr(ord(each) + 0xFEE0) for each in "ALUM15")
SPELLINGS = {
    "ALUM15": (" alum15 ", "Alum15", "\u00a0ALUM15\t", FULL_WIDTH),
    "ÉTÉ-2026": ("été-2026", "E\u0301TE\u0301-2026"),
    "Straße": ("STRASSE", "strasse"),
    "ΣΊΣΥΦΟΣ": ("σίσυφος",),
    "ﬃ" * 32: ("FFI" * 32,),
}
"""Codes, and what people type for each."""


@pytest.mark.parametrize("code", SPELLINGS)
def test_a_code_is_found_however_it_is_typed(code: str) -> None:
    made = coupons.add(code, Terms.of())
    assert made.form
    assert len(made.form) <= FORM_LENGTH
    for text in (code, *SPELLINGS[code]):
        assert coupons.by_code(text).id == coupons.by_code_or_id(text).id == made.id
        assert coupons.row_by_code(("code",), text)[:1] == (code,)


@pytest.mark.parametrize("code", SPELLINGS)
def test_no_live_code_stands_beside_one_alike(code: str) -> None:
    coupons.add(code, Terms.of())
    for text in (text for text in SPELLINGS[code] if len(text) <= coupons.CODE_LENGTH):
        with pytest.raises(Conflict, match="already exists"):
            coupons.add(text, Terms.of())
        archived = coupons.add(text, Terms.of(), live=False)
        with pytest.raises(Conflict, match="already exists"):
            coupon_life.edit(archived.id, TODAY, live=True)
    assert Coupon.select().where(Coupon.live.is_null(False)).count() == 1


@pytest.mark.parametrize("text", ["", " ", "x" * (TYPED_LENGTH + 1), "\ufdfa" * 32])
def test_what_is_no_code_has_no_form(text: str) -> None:
    assert code_form(text) is None
    with pytest.raises(NotFound):
        coupons.by_code(text)


def test_a_live_one_is_found_before_an_archived_one_and_an_exact_one_first() -> None:
    old = coupons.add("autumn", Terms.of(), live=False)
    assert coupons.by_code("Autumn").id == old.id
    new = coupons.add("AUTUMN", Terms.of())
    assert coupons.by_code("autumn").id == new.id
    coupon_life.edit(new.id, TODAY, live=False)
    assert (coupons.by_code("autumn").id, coupons.by_code("AUTUMN").id) == (old.id, new.id)
    assert coupons.by_code("Autumn").id == new.id


def test_an_edited_code_takes_its_form_along() -> None:
    coupons.add("FIRST", Terms.of())
    second = coupons.add("SECOND", Terms.of())
    with pytest.raises(Conflict, match="already exists"):
        coupon_life.edit(second.id, TODAY, code="First")
    coupon_life.edit(second.id, TODAY, code="Third")
    assert coupons.by_code("THIRD").id == second.id
    with pytest.raises(NotFound):
        coupons.by_code("SECOND")
    coupon_life.edit(second.id, TODAY, code="THIRD")  # beside itself it may stand


def test_digits_are_a_code_before_an_id() -> None:
    first = coupons.add("A", Terms.of())
    assert coupons.by_code_or_id(str(first.id)).id == first.id
    other = coupons.add(str(first.id), Terms.of())
    assert coupons.by_code_or_id(f" {first.id} ").id == other.id


def test_a_batch_comes_back_only_where_no_code_is_alike() -> None:
    batch = batch_life.make("Batch", Terms.of(), 1)
    [coupon] = Coupon.select().where(Coupon.batch_id == batch.id)
    batch_life.edit(batch.id, TODAY, live=False)
    coupons.add(coupon.code.lower(), Terms.of())
    with pytest.raises(Conflict, match="live elsewhere"):
        batch_life.edit(batch.id, TODAY, live=True)


def test_own_codes_alike_are_refused_by_line() -> None:
    coupons.add("HAVE", Terms.of())
    terms = Terms.of().id
    given = [("have", LIVE), ("NEW", LIVE), ("new", LIVE), ("New", None), ("Have", None)]
    codes = {line: OwnCode(code, live, True, terms) for line, (code, live) in enumerate(given)}
    with change():
        own = OwnCodeImport(TODAY)
        assert own.put(codes) == {
            0: own_codes.LIVE,
            2: own_codes.REPEATED,
            4: own_codes.STAYS_LIVE,
        }
        own.settle()
    assert coupons.by_code("nEW").code == "NEW"


def test_the_log_keeps_the_code_as_it_was() -> None:
    coupons.add("LOGGED", Terms.of(coupon_type="cart"))
    redemptions.redeem(coupons.by_code("logged"), Use(today=TODAY, places=2))
    [row] = redemption_log.newest(0, 10, 1)
    assert row.code == "LOGGED"


def test_codes_of_campaigns_are_found_and_kept_apart_alike() -> None:
    campaign = campaigns.add(Owner(), "summer", "Summer")
    campaign_making.import_codes(campaign, ["Own_One"], Plan(5), skip=False)
    coupons.add("Legacy", Terms.of())
    for text in ("own_one", " OWN_ONE "):
        found = campaign_codes.find(Owner(), text)
        assert found
        assert found.coupon.code == "Own_One"
    with pytest.raises(campaign_making.CodesClash) as clash:
        campaign_making.import_codes(
            campaign, ["OWN_ONE", "NEW_ONE", "new_one", "LEGACY"], Plan(5), skip=False
        )
    assert clash.value.rejected == {
        0: campaign_making.EXISTS,
        2: campaign_making.REPEATED,
        3: campaign_making.EXISTS,
    }
    with pytest.raises(Conflict) as refused:
        coupons.add("own_one", Terms.of())
    assert refused.value.key == coupons.EXISTS_ELSEWHERE
