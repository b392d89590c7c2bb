"""Finding a code, what its page says, and whether it would work for a cart."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.ui import sentences
from models.campaigns import campaign_codes, campaign_making, campaigns
from models.campaigns.campaign_making import Plan
from models.promotions import batch_life, coupon_life, coupons
from models.promotions.campaign_counts import Owner
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions.use_rules import REFUSALS
from models.store import clock
from models.store.audit import AuditEntry
from tests.app.ui.people import REVISION, Person, token_in
from tests.credentials import CREDENTIALS

TODAY = date(2026, 5, 5)
FAR = date(2030, 12, 31)


def find(person: Person, text: str) -> Any:
    return person.post("/ui/", {"text": text})


def test_a_code_is_found_in_any_spelling(viewer: Person) -> None:
    coupon = coupons.add("Spring-1", Terms.of(value=10))
    for text in ("Spring-1", " spring-1 ", "SPRING-1"):
        assert find(viewer, text).location == f"/ui/codes/{coupon.id}"


def test_a_code_of_a_campaign_is_in_no_address_and_masked_but_for_who_typed_it(app: Flask) -> None:
    viewer = Person(app, "viewer")
    campaign = campaigns.add(Owner(), "promo", "Promo <b>")
    batch, (code, other) = campaign_making.generate(campaign, 2, Plan(5))
    page = find(viewer, code.lower())
    assert code not in page.location
    assert code in viewer.text(page.location)
    beside = Coupon.get(Coupon.code == other)
    for path in (f"/ui/codes/{beside.id}", f"/ui/batches/{batch.batch_id}"):
        assert other not in viewer.text(path)
    assert code not in Person(app, "viewer", "another").text(page.location)


@pytest.mark.parametrize(
    ("text", "leads_to"),
    [
        ("7", "/ui/redemptions?client_id=7"),
        ("801", "/ui/redemptions?invoice_id=801"),
        ("501", "/ui/redemptions?order_id=501"),
        ("user-9", "/ui/redemptions?user_id=user-9"),
        ("spring", "/ui/batches/"),
    ],
)
def test_other_things_are_found(app: Flask, viewer: Person, text: str, leads_to: str) -> None:
    batch_life.make("Spring sale", Terms.of(value=10), 1)
    coupons.add("A", Terms.of(value=1, coupon_type="invoice_cart"))
    client = app.test_client()
    for sale in ({"client_id": 7, "order_id": 501}, {"client_id": 8, "invoice_id": 801}):
        query = CREDENTIALS | {"call": "redeemPromoCode", "code": "A"} | sale
        assert client.get("/api.php", query_string=query).json["success"]
    campaign = campaigns.add(Owner(), "promo", "Promo")
    _, (code,) = campaign_making.generate(campaign, 1, Plan(5))
    campaign_codes.redeem(Owner(), "promo", "user-9", code, TODAY)
    assert find(viewer, text).location.startswith(leads_to)


@pytest.mark.parametrize("text", ["nothing", "\ud800", "x" * 255, "%", "9" * 200, "'; --"])
def test_what_is_not_there_is_said(viewer: Person, text: str) -> None:
    response = viewer.post("/ui/", {"text": text.encode("utf-8", "replace").decode()})
    assert "Nothing found" in response.text


def test_nothing_typed_and_too_much_are_refused(viewer: Person) -> None:
    assert find(viewer, "").status_code == 400
    assert find(viewer, "x" * 256).status_code == 400


SENTENCES = [
    ({"value": 15}, {}, "Works today. 15 % off the price of the first payment, in orders, for new"),
    (
        {"value": Decimal("2.5"), "type": "fixed", "cycle": "recurring"},
        {},
        "2.50 off the price of every",
    ),
    ({"applyto": "setupfee"}, {}, "off the setup fee"),
    ({"applyto": "both"}, {}, "off the price and the setup fee"),
    ({"products": {"1": "1", "2": "2", "3": "3", "4": "4"}}, {}, "of 4 products,"),
    ({"products": {"5": "5"}, "cycles": {"Monthly": "Monthly"}}, {}, "of product 5 and what is"),
    ({"categories": {"5": "5", "6": "6"}}, {}, "of product categories 5, 6,"),
    ({"options": "1"}, {}, "of domains to register,"),
    ({"clients": "new"}, {}, "for new clients, never used, without an end."),
    ({"client_id": 9}, {}, "for client 9 alone"),
    ({"coupon_type": "invoice"}, {}, "on invoices"),
    ({"min_cart_amount": 20}, {}, "from a cart of 20.00"),
    ({"prompt_cart_amount": 30}, {}, "offered from a cart of 30.00"),
    ({"max_client_usage": 2}, {}, "at most 2 uses by one client"),
    ({"increase_in_days": 1}, {}, "for the first 1 day of a service"),
    ({"max_usage": 10}, {"num_usage": 3}, "used 3 of 10"),
    ({"max_usage": 3}, {"num_usage": 3}, "Does not work: it is used up."),
    ({"expires": FAR}, {}, "ends 31 Dec 2030."),
    ({"expires": TODAY - timedelta(1)}, {}, "Does not work: it ended on 4 May 2026."),
    ({}, {"active": False}, "Does not work: it is stopped."),
    ({}, {"live": None}, "Does not work: it is archived."),
    ({"extra": {"half_known": [True]}}, {}, "Cannot be used yet"),
]


@pytest.mark.parametrize(("terms", "columns", "expected"), SENTENCES)
def test_terms_in_a_sentence(
    app: Flask, terms: dict[str, Any], columns: dict[str, Any], expected: str
) -> None:
    coupon = Coupon(code="A", **columns)
    with app.app_context():
        held = Terms.of(**terms)
        assert expected in sentences.of_code(coupon, held, TODAY)


def test_every_refusal_has_a_hint() -> None:
    assert sentences.HINTS.keys() == REFUSALS.keys()
    assert not any(":" in sentences.reason(key) for key in REFUSALS)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    client_id=st.integers(0, 2),
    clients=st.sampled_from(["", "new", "existing"]),
    invoice_id=st.integers(0, 1),
    amount=st.sampled_from(["", "5", "50.00", "x"]),
    product=st.sampled_from(["", "5", "6"]),
)
def test_the_page_says_what_the_call_says(
    client_id: int, clients: str, invoice_id: int, amount: str, product: str
) -> None:
    person, code, path = _quoted()
    typed = {"client_id": client_id, "clients": clients, "invoice_id": invoice_id}
    typed = {name: value for name, value in (typed | {"amount": amount}).items() if value}
    bought = {"products[]": product} if product else {}
    query = CREDENTIALS | {"call": "validatePromoCode", "code": code} | typed | bought
    answer = person.client.get("/api.php", query_string=query).json
    line = {"items[0][product]": product, "items[0][cycle]": ""}
    page = person.client.get(path, query_string={"quote": 1} | typed | line).text
    assert ("Yes, the code would work." in page) == bool(answer.get("valid"))
    if answer["success"] and not answer["valid"]:
        assert f"No. {answer['message'].partition('(')[0].strip()}" in page
    if answer.get("valid") and amount:
        assert f"It takes {answer['total_discount']} off." in page
    assert ('class="error"' in page) == (not answer["success"])


@pytest.fixture(autouse=True)
def _quote_store(request: pytest.FixtureRequest) -> None:
    if "the_page_says" in request.node.name:
        app = request.getfixturevalue("app")
        terms = {"value": 10, "coupon_type": "invoice_cart", "clients": "existing"}
        limits = {"products": {"5": "5"}, "min_cart_amount": 10}
        coupon = coupons.add("QUOTED", Terms.of(**terms, **limits))
        _QUOTED[:] = [Person(app, "viewer"), "QUOTED", f"/ui/codes/{coupon.id}"]


_QUOTED: list[Any] = []


def _quoted() -> Any:
    return _QUOTED


def test_a_code_is_stopped_edited_and_put_away(operator: Person) -> None:
    coupon = coupons.add("SPRING", Terms.of(value=10, max_usage=2, expires=FAR))
    path = f"/ui/codes/{coupon.id}"

    def revision() -> str:
        page = operator.text(path)
        return page.split('name="revision" value="')[1].split('"')[0]

    for change, state in (("stop", "Stopped"), ("start", "Active"), ("archive", "Archived")):
        sent = {"revision": revision()}
        assert operator.post(f"{path}/{change}", sent, at=path).status_code == 303
        assert f"</span> {state}" in operator.text(path)
    stale = {"revision": "another"}
    assert operator.post(f"{path}/restore", stale, at=path).status_code == 409
    operator.post(f"{path}/restore", {"revision": revision()}, at=path)
    edit = f"{path}/edit"
    held = {"value": "10", "type": "percent", "expires": "2030-12-31", "max_usage": "2"}
    form = held | {"revision": revision(), "max_client_usage": "", "notes": "<script>alert(1)"}
    response = operator.post(edit, form | {"value": "101"})
    assert response.status_code == 400
    assert "This must be 100 at most when type is percent." in response.text
    assert 'value="101"' in response.text
    assert operator.post(edit, form | {"expires": "", "value": "12.5"}).status_code == 303
    terms = Terms.by_id(coupons.by_id(coupon.id).terms_id)
    assert (str(terms.value), terms.expires, terms.max_usage) == ("12.5", None, 2)
    assert b"<script>alert" not in operator.get(path).data
    conflict = operator.post(edit, form)
    assert conflict.status_code == 409
    assert "<mark>10</mark>" in conflict.text


def test_a_code_of_a_campaign_is_revoked_and_brought_back(operator: Person) -> None:
    campaign = campaigns.add(Owner(), "promo", "Promo")
    _, (code,) = campaign_making.generate(campaign, 1, Plan(5))
    path = f"/ui/codes/{Coupon.get(Coupon.code == code).id}"
    for change, status in (("archive", "REVOKED"), ("restore", "ACTIVE")):
        page = operator.text(path)
        sent = {"revision": page.split('name="revision" value="')[1].split('"')[0]}
        assert operator.post(f"{path}/{change}", sent, at=path).status_code == 303
        assert campaign_codes.known(Owner(), code).status == status
    assert operator.text(f"{path}/edit", 409)


def test_who_used_it_and_who_was_refused(app: Flask, viewer: Person) -> None:
    coupon = coupons.add("ONCE", Terms.of(value=10, max_usage=1))
    for client_id in (7, 8):
        query = CREDENTIALS | {"call": "redeemPromoCode", "code": "ONCE", "client_id": client_id}
        app.test_client().get("/api.php", query_string=query)
    app.config["USAGE_LOG"].close()
    page = viewer.text(f"/ui/codes/{coupon.id}")
    assert "client 7" in page
    assert "The promotion code has been used as often as it may be" in page
    since = clock.today(UTC).isoformat()
    refused = viewer.text(f"/ui/refused?client_id=8&since={since}")
    assert "client 8" in refused
    assert "ONCE" in refused
    assert "No refused try is like that" in viewer.text("/ui/refused?client_id=9")
    coupon_life.delete(coupon.id)
    assert viewer.text(f"/ui/codes/{coupon.id}", 404)


def test_of_forms_sent_at_once_one_is_stored(app: Flask) -> None:
    coupon = coupons.add("ONCE", Terms.of())
    people = [Person(app, "operator", f"operator {n}") for n in range(3)]
    path = f"/ui/codes/{coupon.id}"
    forms = []
    for person in people:
        page = person.get(path).data
        forms.append({"csrf_token": token_in(page), "revision": REVISION.search(page)[1].decode()})
    at_once = threading.Barrier(len(people))

    def send(number: int) -> int:
        at_once.wait()
        return people[number].client.post(f"{path}/stop", data=forms[number]).status_code

    with ThreadPoolExecutor(len(people)) as pool:
        assert sorted(pool.map(send, range(len(people)))) == [303, 409, 409]
    edits = AuditEntry.select().where(AuditEntry.subject == "ONCE", AuditEntry.action == "edited")
    assert edits.count() == 1
