"""addPromoBatch, generatePromoCodes, editPromoBatch, deletePromoBatch, getPromoBatchDetails."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

import pytest

from models.promotions import batches, coupon_life, coupons
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.promotions.terms import CYCLES, GROUPS, Terms
from models.redemptions import redemptions
from models.redemptions.use_rules import Use
from models.store.base import database
from tests.calls.conftest import Ask
from tests.conftest import GOLDEN_TIME
from tests.recount import assert_counts_are_right
from tests.terms import but

TODAY = datetime.fromtimestamp(GOLDEN_TIME, UTC).date()
LEAST = {"name": "Spring", "size": "3", "coupon_type": "cart", "type": "percent", "value": "10"}
"""The arguments without which there is no batch."""

pytestmark = pytest.mark.usefixtures("still_time", "store")
EDITED = attrgetter("name", "prefix", "notes", "live", "terms_id")
UNCHANGED = "Nothing was changed: all of it was so before"


def added(ask: Ask, **arguments: Any) -> Batch:
    """Return the batch that a call made of LEAST and these arguments."""
    answer = ask("addPromoBatch", **(LEAST | arguments))
    assert answer["info"] == ["New batch created"]
    assert_counts_are_right()
    batch = batches.by_id(int(answer["batch_id"]))
    assert answer["coupons_count"] == batch.coupons_count
    return batch


def inside(batch: Batch) -> list[Coupon]:
    return list(Coupon.select().where(Coupon.batch_id == batch.id).order_by(Coupon.id))


def dump() -> list[Any]:
    tables = ("batch", "coupon", "terms", "redemption", "tally")
    return [database.execute_sql(f"select * from {name}").fetchall() for name in tables]  # noqa: S608  # our own names


def edited(ask: Ask, batch: Batch, **arguments: Any) -> Terms:
    """Return the terms of a batch after a call that changed it."""
    before = EDITED(batches.by_id(batch.id))
    answer = ask("editPromoBatch", id=str(batch.id), **arguments)
    assert_counts_are_right()
    after = batches.by_id(batch.id)
    changed = EDITED(after) != before
    assert answer == {
        "batch_id": str(batch.id),
        "coupons_count": batch.coupons_count,
        "info": ["The batch has been changed" if changed else UNCHANGED],
    }
    terms: Terms = after.terms
    assert {coupon.terms_id for coupon in inside(batch)} == {terms.id}
    return terms


def refused(ask: Ask, call: str, **arguments: Any) -> list[str]:
    """Return the sentences of a call that failed, having looked that it wrote nothing."""
    before = dump()
    errors: list[str] = ask(call, **arguments)["error"]
    assert dump() == before
    return errors


def test_a_batch_is_made_of_the_least_that_must_be_said(ask: Ask) -> None:
    batch = added(ask)
    assert (batch.name, batch.prefix, batch.complexity, batch.length) == ("Spring", "", 2, 12)
    assert batch.terms_id == Terms.of(value=Decimal(10)).id
    for coupon in inside(batch):
        assert len(coupon.code) == 12
        assert coupon.code.upper() == coupon.code
        assert (coupon.active, coupon.live, coupon.terms_id) == (True, True, batch.terms_id)


def test_a_batch_is_made_of_everything_that_can_be_said(ask: Ask) -> None:
    groups = {f"{group}[]": ["1", "22"] for group in GROUPS if group != "domains"}
    batch = added(
        ask,
        prefix="S-",
        complexity="5",
        length="10",
        coupon_type="invoice_cart",
        type="fixed",
        value="5.125",
        clients="existing",
        notes="For Ann",
        client_id="9",
        expires="2024-02-29",
        max_usage_limit="1",
        usage_limit="5",
        max_client_usage="2",
        cycle="recurring",
        applyto="both",
        increase_in_days="30",
        min_cart_amount="1.50",
        prompt_cart_amount="0.5",
        **groups,
        **{"domains[]": [".com", "co.uk"], "cycles[]": ["Monthly", "Annually"]},
    )
    chosen = {group: {"1": "1", "22": "22"} for group in GROUPS}
    expected = Terms.of(
        coupon_type="invoice_cart",
        type="fixed",
        value=Decimal("5.125"),
        clients="existing",
        notes="For Ann",
        client_id=9,
        expires=datetime(2024, 2, 29, tzinfo=UTC).date(),
        max_usage=5,
        max_client_usage=2,
        cycle="recurring",
        applyto="both",
        increase_in_days=30,
        min_cart_amount=Decimal("1.5"),
        prompt_cart_amount=Decimal("0.5"),
        cycles={"Monthly": "Monthly", "Annually": "Annually"},
        **(chosen | {"domains": {".com": ".com", "co.uk": "co.uk"}}),
    )
    assert batch.terms.content() == expected.content()
    assert batch.notes == "For Ann"
    assert all(coupon.code[:2] == "S-" and coupon.code[2:].isdigit() for coupon in inside(batch))


def test_ten_thousand_codes_are_made_at_once(ask: Ask) -> None:
    batch = added(ask, size="10000")
    assert batch.coupons_count == len({coupon.code for coupon in inside(batch)}) == 10_000


@pytest.mark.parametrize(
    ("arguments", "limits"),
    [
        ({"max_usage": "3"}, (3, 0)),
        ({"usage_limit": "3"}, (3, 0)),
        ({"usage_limit": "3", "max_usage_limit": "on", "max_client_usage": "1"}, (3, 1)),
        ({"max_client_usage": "0", "max_client_usage_limit": "off"}, (0, 0)),
        ({"max_usage": "0"}, (0, 0)),
    ],
)
def test_a_limit_counts_without_its_switch(
    ask: Ask, arguments: dict[str, str], limits: tuple[int, int]
) -> None:
    terms = added(ask, **arguments).terms
    assert (terms.max_usage, terms.max_client_usage) == limits


@pytest.mark.parametrize(
    ("arguments", "chosen"),
    [
        ({"products[]": ["5"]}, {"5": "5"}),
        ({"products[]": ["5"], "apply_products": "1"}, {"5": "5"}),
        ({"products[]": [""], "apply_products": "0"}, {}),
        ({"products": "0"}, {}),
        ({"products[]": [""]}, {}),
    ],
)
def test_a_group_counts_without_its_switch(
    ask: Ask, arguments: dict[str, Any], chosen: dict[str, str]
) -> None:
    assert added(ask, **arguments).terms.products == chosen


CYCLES_ALONE = f"must hold only {', '.join(CYCLES)}, Hourly, tld1 to tld10, or 0 for all"
AMOUNT = "must be a number with 12 digits and 3 decimals at most"


@pytest.mark.parametrize(
    ("argument", "value", "reason"),
    [
        ("name", "", "is required"),
        ("name", "x" * 256, "must have 255 characters at most"),
        ("size", "0", "must be 1 or more"),
        ("size", "10001", "must be 10000 or less"),
        ("size", "-1", "must be 1 or more"),
        ("size", "", "is required"),
        ("size", "1e3", "must be a whole number"),
        ("complexity", "6", "must be 5 or less"),
        ("complexity", "0", "must be 1 or more"),
        ("length", "0", "must be 1 or more"),
        ("length", "33", "must be 32 or less"),
        ("length", "4", "leaves too little room for so many codes of this complexity"),
        ("prefix", "x" * 33, "must have 32 characters at most"),
        ("prefix", "a\nb", "must be printable characters"),
        ("coupon_type", "gift", "must be one of cart, invoice, invoice_cart, flavor"),
        ("type", "", "is required"),
        ("value", "NaN", AMOUNT),
        ("value", "1e999", AMOUNT),
        ("value", "1,50", AMOUNT),
        ("value", "1.2345", AMOUNT),
        ("value", "-5", "must be 0 or more"),
        ("value", "100.001", "must be 100 at most when type is percent"),
        ("min_cart_amount", "-0.01", "must be 0 or more"),
        ("expires", "2024-02-30", "must be a date like 2030-12-31"),
        ("expires", "tomorrow", "must be a date like 2030-12-31"),
        ("expires", "2023-11-13", "must not be in the past"),
        (
            "cycles[]",
            "Fortnightly",
            f"must hold only {', '.join(CYCLES)}, Hourly, tld1 to tld10, or 0 for all",
        ),
        ("products[]", "x", "must be a list of ids"),
        ("domains[]", "no domain", "must be a list of TLDs"),
        ("apply_products", "1", None),
        ("apply_products", "perhaps", "must be 1 or 0"),
        ("apply_widgets", "1", "is unknown, did you mean apply_products?"),
        ("max_usage_limit", "1", None),
        ("max_usage", "-1", "must be 0 or more"),
        ("clients", "some", "must be one of all, new, existing"),
        ("cycle", "twice", "must be one of once, recurring"),
        ("applyto", "all", "must be one of price, setupfee, both"),
    ],
)
def test_a_wrong_argument_is_named_and_nothing_is_made(
    ask: Ask, argument: str, value: str, reason: str | None
) -> None:
    said = {
        "apply_products": "products (is required when apply_products is on)",
        "max_usage_limit": "usage_limit (must be 1 or more when max_usage_limit is on)",
    }
    expected = f"{argument.removesuffix('[]')} ({reason})" if reason else said[argument]
    errors = refused(ask, "addPromoBatch", **(LEAST | {argument: value}))
    assert errors == [f"Wrong parameter: {expected}"]


def test_every_wrong_argument_is_named_at_once_in_the_order_of_the_parameters(ask: Ask) -> None:
    errors = refused(
        ask,
        "addPromoBatch",
        name="",
        size="0",
        prefix="x" * 30,
        length="3",
        coupon_type="invoice_cart",
        type="percent",
        value="101",
        apply_addons="1",
        expires="2024-13-01",
        apply_widgets="1",
    )
    assert [error.removeprefix("Wrong parameter: ").split(" ")[0] for error in errors] == [
        "name",
        "size",
        "value",
        "clients",
        "addons",
        "expires",
        "apply_widgets",
    ]


def test_a_code_is_never_longer_than_a_code_can_be(ask: Ask) -> None:
    errors = refused(ask, "addPromoBatch", **(LEAST | {"prefix": "x" * 21}))
    assert errors == ["Wrong parameter: length (makes codes of 33 characters, 32 is the most)"]
    added(ask, prefix="x" * 20)


def test_a_batch_grows(ask: Ask) -> None:
    batch = added(ask)
    assert ask("generatePromoCodes", id=str(batch.id), size="20") == {
        "batch_id": str(batch.id),
        "coupons_count": 23,
        "info": ["20 promotion codes created"],
    }
    assert_counts_are_right()
    assert len(inside(batch)) == 23


def test_a_batch_that_cannot_grow_says_why(ask: Ask) -> None:
    batch = added(ask, complexity="5", length="8", size="90")
    call = {"call": "generatePromoCodes", "id": str(batch.id)}
    assert refused(ask, **call, size="11") == [
        "Wrong parameter: size (the codes of this batch leave too little room for so many)"
    ]
    assert refused(ask, **call, size="0") == ["Wrong parameter: size (must be 1 or more)"]
    assert refused(ask, **call, size="10001") == ["Wrong parameter: size (must be 10000 or less)"]
    assert refused(ask, "generatePromoCodes") == [
        "Wrong parameter: id (is required)",
        "Wrong parameter: size (is required)",
    ]
    assert refused(ask, "generatePromoCodes", id="99", size="1") == ["There is no batch 99"]
    ask("generatePromoCodes", id=str(batch.id), size="10")
    edited(ask, batches.by_id(batch.id), status="Archived")
    assert refused(ask, **call, size="1") == ["The batch is archived"]


def test_an_edit_changes_what_it_says_and_nothing_else(ask: Ask) -> None:
    batch = added(
        ask,
        **{"products[]": ["1"], "cycles[]": ["Monthly"]},
        expires="2024-01-01",
        max_usage="3",
        clients="new",
        notes="Notes",
    )
    before = batch.terms.content()
    assert edited(ask, batch, value="20").content() == before | {"value": Decimal(20)}
    assert edited(ask, batch, value="10").content() == before
    # An empty argument is an absent one where it cannot be empty.
    empty = edited(ask, batch, value="", clients="", cycle="", name="", status="")
    assert empty.content() == before
    emptied = edited(ask, batch, expires="", products="", **{"cycles[]": ""}, max_usage="")
    cleared = {"expires": None, "products": {}, "cycles": {}, "max_usage": 0}
    assert emptied.content() == before | cleared
    assert edited(ask, batch, notes="").notes == ""
    after = batches.by_id(batch.id)
    assert (after.name, after.notes, after.prefix) == ("Spring", "", "")


@pytest.mark.parametrize(
    ("arguments", "changes"),
    [
        ({"expires": "0000-00-00"}, {"expires": None}),
        ({"client_id": "0"}, {"client_id": 0}),
        ({"max_usage": "0"}, {"max_usage": 0}),
        ({"max_usage_limit": "0"}, {"max_usage": 0}),
        ({"usage_limit": "7"}, {"max_usage": 7}),
        ({"max_usage_limit": "1"}, {}),
        ({"max_client_usage": "7"}, {"max_client_usage": 7}),
        ({"products[]": ["2", "3"]}, {"products": {"2": "2", "3": "3"}}),
        ({"apply_products": "1"}, {}),
        ({"apply_products": "0"}, {"products": {}}),
        ({"products[]": [""]}, {"products": {}}),
        ({"addons[]": ["4"]}, {"addons": {"4": "4"}}),
        ({"cycles[]": ["Daily"]}, {"cycles": {"Daily": "Daily"}}),
        ({"cycles[]": [""]}, {"cycles": {}}),
        ({"coupon_type": "invoice_cart"}, {"coupon_type": "invoice_cart"}),
    ],
)
def test_an_edit_of_terms_goes_over_what_is_held(
    ask: Ask, arguments: dict[str, Any], changes: dict[str, Any]
) -> None:
    batch = added(
        ask,
        **{"products[]": ["1"], "cycles[]": ["Monthly"]},
        expires="2024-01-01",
        max_usage="3",
        client_id="5",
    )
    assert edited(ask, batch, **arguments).content() == batch.terms.content() | changes


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"value": "101"}, "value (must be 100 at most when type is percent)"),
        ({"apply_addons": "1"}, "addons (is required when apply_addons is on)"),
        (
            {"max_usage_limit": "1"},
            "usage_limit (must be 1 or more when max_usage_limit is on)",
        ),
        ({"value": "NaN"}, f"value ({AMOUNT})"),
        ({"expires": "2024-02-30"}, "expires (must be a date like 2030-12-31)"),
        ({"status": "Gone"}, "status (must be one of Active, Archived)"),
        ({"prefix": "a\tb"}, "prefix (must be printable characters)"),
        ({"apply_widgets": "1"}, "apply_widgets (is unknown, did you mean apply_products?)"),
    ],
)
def test_a_wrong_edit_changes_nothing(ask: Ask, arguments: dict[str, str], error: str) -> None:
    batch = added(ask)
    arguments = {"name": "Other"} | arguments
    errors = refused(ask, "editPromoBatch", id=str(batch.id), **arguments)
    assert errors == [f"Wrong parameter: {error}"]


def test_a_value_is_looked_at_together_with_the_type_it_comes_with(ask: Ask) -> None:
    batch = added(ask)
    assert edited(ask, batch, type="fixed", value="150").value == 150
    assert refused(ask, "editPromoBatch", id=str(batch.id), type="percent") == [
        "Wrong parameter: value (must be 100 at most when type is percent)"
    ]
    assert edited(ask, batch, notes="x").value == 150


def test_another_client_leaves_the_name_of_the_old_one_behind(ask: Ask) -> None:
    batch = added(ask, client_id="5")
    named = but(batch.terms, firstname="Ann", lastname="Lee")
    Batch.update(terms=named).execute()
    Coupon.update(terms=named).execute()
    assert edited(ask, batch, value="5", client_id="5").firstname == "Ann"
    terms = edited(ask, batch, client_id="6")
    assert (terms.firstname, terms.lastname) == ("", "")


def test_terms_from_elsewhere_are_not_refused_for_what_is_not_touched(ask: Ask) -> None:
    batch = added(ask)
    strange = but(batch.terms, value=Decimal(150), coupon_type="invoice_cart", clients="")
    Batch.update(terms=strange).execute()
    Coupon.update(terms=strange).execute()
    terms = edited(ask, batch, notes="x")
    assert terms.content() == strange.content() | {"notes": "x"}


def test_an_imported_configuration_keeps_what_it_alone_says(ask: Ask) -> None:
    batch = added(ask, **{"products[]": ["1"]})
    config = {"cycle": "once", "strange": {"a": 1}, "products": ["1"], "clients": "odd"}
    Batch.update(config=config).execute()
    edited(ask, batch, apply_products="0", cycle="recurring")
    assert batches.by_id(batch.id).config == {
        "strange": {"a": 1},
        "clients": "odd",
        "cycle": "recurring",
        "apply_products": "0",
    }


def test_an_archived_batch_is_live_again_with_its_codes(ask: Ask) -> None:
    batch = added(ask)
    code = inside(batch)[0].code
    edited(ask, batch, status="Archived")
    assert ask("validatePromoCode", code=code)["reason"] == "code_archived"
    coupons.add(code, Terms.of())
    assert refused(ask, "editPromoBatch", id=str(batch.id), status="Active", name="x") == [
        "The batch cannot be active again: one of its codes is live elsewhere"
    ]
    coupon_life.delete(coupons.by_code(code).id)
    edited(ask, batch, status="Active")
    assert ask("validatePromoCode", code=code)["valid"]


def test_a_batch_is_deleted(ask: Ask) -> None:
    batch = added(ask)
    coupon = inside(batch)[0]
    redemptions.redeem(coupon, Use(today=TODAY, places=2))
    name = {"id": str(batch.id)}
    assert refused(ask, "deletePromoBatch", **name) == [
        "The batch has codes that were used: archive it first"
    ]
    edited(ask, batches.by_id(batch.id), status="Archived")
    assert ask("deletePromoBatch", **name) == {
        "batch_id": name["id"],
        "info": ["The batch has been deleted"],
    }
    assert_counts_are_right()
    assert refused(ask, "deletePromoBatch", **name) == [f"There is no batch {batch.id}"]
    assert ask("listPromoUsage")["sorter"]["sorterrecords"] == "1"


def test_details_show_a_batch_as_the_list_does_page_by_page(ask: Ask) -> None:
    batch = added(ask, size="7", prefix="D-")
    (listed,) = ask("listPromoBatches")["batches"]
    name = {"id": str(batch.id)}
    answer = ask("getPromoBatchDetails", **name)
    assert answer["batch"] == listed
    assert list(answer["batch"]) == list(listed)
    assert answer["sorter"] == {
        "perpage": 25,
        "totalpages": 1,
        "sorterrecords": "7",
        "sorterpage": 1,
    }
    pages = [ask("getPromoBatchDetails", **name, page=str(page), perpage="3") for page in range(4)]
    found = [page["batch"].pop("coupons") for page in pages]
    assert [len(page) for page in found] == [3, 3, 1, 0]
    assert [coupon for page in found for coupon in page] == listed["coupons"]
    head = {key: value for key, value in listed.items() if key != "coupons"}
    assert [page["batch"] for page in pages] == [head] * 4
    assert [page["sorter"]["sorterpage"] for page in pages] == [1, 2, 3, 4]
    assert {page["sorter"]["totalpages"] for page in pages} == {3}


def test_details_count_the_coupons_that_are_there(ask: Ask) -> None:
    batch = added(ask)
    Batch.update(carried_count=100, coupons_count=103).execute()
    answer = ask("getPromoBatchDetails", id=str(batch.id))
    assert answer["batch"]["coupons_count"] == 103
    assert answer["sorter"]["sorterrecords"] == "3"


def test_details_of_what_is_not_there_are_a_failure(ask: Ask) -> None:
    assert refused(ask, "getPromoBatchDetails", id="1") == ["There is no batch 1"]
    assert refused(ask, "getPromoBatchDetails", id="x", page="-1") == [
        "Wrong parameter: id (must be a whole number)",
        "Wrong parameter: page",
    ]
