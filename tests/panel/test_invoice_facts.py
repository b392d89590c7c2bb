"""A coupon applied to an invoice here is decided by what the panel says of the invoice."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from app import redis_counter
from app.limits import Limits
from app.panel import invoice_facts
from app.panel.client import Panel
from models.promotions import coupons
from models.promotions.terms import Terms
from models.redemptions.redemption import Redemption
from tests.panel.fronts import Front
from tests.waiting import wait_until

APPLY, INVOICE, ACCOUNT = "applyInvoiceCoupon", "getInvoiceDetails", "getAccountDetails"
NOT_CHECKED = "Not checked"


@pytest.fixture
def here(front: Front) -> Front:
    """Answer applyInvoiceCoupon here."""
    front.route("local", APPLY)
    return front


def coupon(**terms: Any) -> str:
    """Make a coupon for invoices here; return its code."""
    usual = {"coupon_type": "invoice", "type": "percent", "value": Decimal(10)}
    return coupons.add("HERE", Terms.of(**usual | terms)).code


def apply(front: Front, invoice: int, **more: Any) -> Any:
    return front.ask(APPLY, id=invoice, applycoupon="HERE", **more)


def use() -> Redemption:
    """Return the one use there is."""
    found: Redemption = Redemption.get()
    return found


def lines(front: Front, *described: dict[str, Any], invoice: int = 801) -> None:
    """Set what is on an invoice."""
    front.panel.execute("DELETE FROM invoice_line WHERE invoice_id = ?", invoice)
    for each in described:
        usual = {"type": "Hosting", "item_id": 1002, "description": "", "amount": 10}
        values = usual | each | {"invoice_id": invoice}
        marks = ", ".join("?" * len(values))
        into = f"INSERT INTO invoice_line ({', '.join(values)}) VALUES ({marks})"  # noqa: S608  # our names
        front.panel.execute(into, *values.values())


def test_the_client_and_the_amount_are_the_invoice_s(here: Front) -> None:
    coupon()
    answer = apply(here, 800)
    assert answer["info"] == ["The coupon has been added to the invoice"]
    assert (use().client_id, use().amount, use().discount) == (1, Decimal("19.95"), Decimal("2.00"))
    assert here.panel.journal(ACCOUNT) == []
    (asked,) = here.panel.journal(INVOICE)
    assert asked.arguments["api_id"] != here.panel.api_id  # with our own pair


def test_a_limit_for_each_client_is_kept(here: Front) -> None:
    coupon(max_client_usage=1)
    assert apply(here, 801)["success"]
    again = apply(here, 841)
    assert (again["success"], again["error"]) == (
        False,
        ["The client has used the promotion code as often as it may be"],
    )
    assert apply(here, 802)["success"]


def test_the_coupon_of_one_client_is_that_client_s(here: Front) -> None:
    coupon(client_id=1)
    assert not apply(here, 801)["success"]
    assert apply(here, 800)["success"]


def test_products_and_cycles_are_those_of_the_services(here: Front) -> None:
    coupon(products={"43": "43"})
    assert "not for these items" in apply(here, 801)["error"][0]
    answer = apply(here, 800)
    assert answer["info"] == ["The coupon has been added to the invoice"]
    assert (use().amount, use().discount) == (Decimal("19.95"), Decimal("1.00"))


@pytest.mark.parametrize(("cycle", "fits"), [("Monthly", True), ("Annually", False)])
def test_cycles(here: Front, cycle: str, fits: bool) -> None:
    coupon(cycles={cycle: cycle})
    assert apply(here, 801)["success"] is fits


@pytest.mark.parametrize(("category", "fits"), [("8", True), ("7", False)])
def test_categories_are_asked_for_where_they_count(here: Front, category: str, fits: bool) -> None:
    coupon(categories={category: category})
    assert apply(here, 801)["success"] is fits


def test_the_minimum_is_of_the_whole_invoice(here: Front) -> None:
    coupon(min_cart_amount=Decimal(15))
    assert "below the amount" in apply(here, 801)["error"][0]
    assert apply(here, 800)["success"]


@pytest.mark.parametrize(
    ("terms", "fits"),
    [
        ({"domains": {".co.uk": ".co.uk"}}, True),
        ({"domains": {".com": ".com"}}, False),
        ({"domains": {".co.uk": ".co.uk"}, "cycles": {"tld1": "tld1"}}, True),
        ({"domains": {".co.uk": ".co.uk"}, "cycles": {"tld2": "tld2"}}, False),
        ({"options": "1"}, True),
        ({"options": "4"}, False),
        ({"products": {"50": "50"}}, False),
        ({"addons": {"3": "3"}}, False),
    ],
)
def test_lines_for_domains(here: Front, terms: dict[str, Any], fits: bool) -> None:
    described = "Domain Registration: hbappreseller.co.uk Period: 1 Year/s"
    lines(here, {"type": "Domain Register", "item_id": 10, "description": described})
    coupon(**terms)
    answer = apply(here, 801)
    assert answer["success"] is fits
    assert NOT_CHECKED not in str(answer)


@pytest.mark.parametrize(
    ("line", "terms"),
    [
        ({"type": "Domain Register", "description": "A domain"}, {"domains": {".com": ".com"}}),
        ({"type": "Addon"}, {"addons": {"3": "3"}}),
        ({"type": "SomethingNew"}, {"products": {"50": "50"}}),
        ({"type": "Hosting", "item_id": 99}, {"products": {"50": "50"}}),
        ({"type": "Hosting", "item_id": 0}, {"products": {"50": "50"}}),
        ({}, {"forms": {"5": "5"}}),
    ],
)
def test_what_the_panel_does_not_tell_is_not_checked_or_refused(
    here: Front, line: dict[str, Any], terms: dict[str, Any]
) -> None:
    lines(here, line, {"type": "Other", "item_id": 0})
    coupon(**terms)
    settings = here.app.config["SETTINGS"]
    here.app.config["SETTINGS"] = replace(settings, unknown_facts="refuse")
    refused = apply(here, 801)
    assert (refused["success"], "say what is bought" in refused["error"][0]) == (False, True)
    here.app.config["SETTINGS"] = settings
    answer = apply(here, 801)
    assert answer["info"][1] == "Not checked, as the call does not tell it: what is bought"
    assert (use().client_id, use().amount, use().discount) == (2, Decimal(20), None)


def test_lines_that_are_no_services_count_for_the_minimum_alone(here: Front) -> None:
    lines(here, {}, {"type": "Other", "item_id": 0, "amount": 7}, {"type": "Addon", "amount": 3})
    coupon(products={"50": "50"}, min_cart_amount=Decimal(20))
    assert apply(here, 801)["success"]
    assert (use().amount, use().discount) == (Decimal(20), Decimal(1))


def test_a_line_below_zero_is_no_part_of_the_amount(here: Front) -> None:
    lines(here, {}, {"type": "Other", "item_id": 0, "amount": -4})
    coupon(products={"50": "50"})
    assert apply(here, 801)["success"]
    assert use().amount == Decimal(10)


def test_pieces_are_multiplied(here: Front) -> None:
    lines(here, {"qty": 3})
    coupon()
    assert apply(here, 801)["success"]
    assert use().amount == Decimal(30)


def test_what_the_call_says_itself_stays(here: Front) -> None:
    coupon(max_client_usage=5)
    apply(here, 801, client_id=9, amount="5.00")
    assert (use().client_id, use().amount) == (9, Decimal(5))
    here.panel.execute("DELETE FROM invoice_line")
    asked = len(here.panel.journal())
    said = {"client_id": 9, "items[0][product]": 50, "items[0][amount]": "3"}
    assert apply(here, 802, **said)["success"]
    assert len(here.panel.journal()) == asked  # nothing was left to ask for


def test_an_invoice_that_the_panel_does_not_know_is_refused(here: Front) -> None:
    coupon()
    answer = apply(here, 9_999)
    assert (answer["success"], answer["error"]) == (False, ["The invoice does not exist"])
    assert Redemption.select().count() == 0


def test_a_kept_answer_is_given_again_though_the_invoice_is_gone(here: Front) -> None:
    coupon()
    first = here.send(APPLY, id=801, applycoupon="HERE", idempotency_key="k").data
    here.panel.execute("DELETE FROM invoice WHERE id = 801")
    assert here.send(APPLY, id=801, applycoupon="HERE", idempotency_key="k").data == first


@pytest.mark.parametrize("fault", ["drop", "html", "status", "redirect", "cut"])
def test_a_panel_that_gives_no_answer_leaves_it_unchecked(here: Front, fault: str) -> None:
    coupon(max_client_usage=1)
    here.panel.fault(fault, INVOICE)
    answer = apply(here, 801)
    assert answer["info"][1].startswith(NOT_CHECKED)
    assert use().client_id == 0


def test_a_pair_that_may_not_ask_leaves_it_unchecked(here: Front) -> None:
    coupon(max_client_usage=1)
    here.panel.fault("fail", INVOICE, error="Called method is not allowed for this API ID")
    assert apply(here, 801)["info"][1].startswith(NOT_CHECKED)


def test_without_a_pair_of_our_own_it_is_unchecked(here: Front) -> None:
    coupon(max_client_usage=1)
    here.app.config["PANEL"].settings = here.without_credentials()
    assert apply(here, 801)["info"][1].startswith(NOT_CHECKED)
    assert here.panel.journal(INVOICE) == []


def test_a_panel_that_hangs_has_a_deadline_and_nobody_waits_for_the_store(
    here: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invoice_facts, "SECONDS", 3)
    coupon(max_client_usage=1)
    here.panel.fault("delay", INVOICE, seconds=30)
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(apply(here, 801)))
    asking.start()
    wait_until(lambda: here.panel.journal(INVOICE))
    coupons.add("MEANWHILE", Terms.of(coupon_type="cart"))
    assert not answers  # the write was not held up until the panel had answered
    asking.join(60)
    assert answers[0]["info"][1].startswith(NOT_CHECKED)


def test_so_many_accounts_are_asked_about_and_each_once(
    here: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    coupon(products={"50": "50", "43": "43", "42": "42"})
    lines(here, *[{"item_id": 1001 + n % 20} for n in range(40)])
    answer = apply(here, 801)
    assert NOT_CHECKED not in str(answer)
    assert len(here.panel.journal(ACCOUNT)) == 20
    lines(here, *[{"item_id": 1001 + n} for n in range(21)], invoice=802)
    answer = apply(here, 802)
    assert answer["info"][1].startswith(NOT_CHECKED)
    assert len(here.panel.journal(ACCOUNT)) == 40


def test_the_panel_is_not_asked_for_a_code_that_there_is_not_or_a_call_that_goes_there(
    here: Front,
) -> None:
    assert not apply(here, 801)["success"]
    assert here.panel.journal(INVOICE) == []
    coupon()
    here.route("forward", APPLY)
    apply(here, 801)
    assert here.panel.journal(INVOICE) == []


def test_the_panel_is_not_asked_for_who_guesses_codes(here: Front) -> None:
    coupon()
    few = replace(here.app.config["SETTINGS"], wrong_codes_of_caller_per_minute=3)
    here.app.config["LIMITS"] = Limits(few, redis_counter.counter("memory://"))
    while here.send(APPLY, id=801, applycoupon="NOPE").status_code == 200:
        pass
    assert here.send(APPLY, id=801, applycoupon="HERE").status_code == 429
    assert here.panel.journal(INVOICE) == []


@pytest.mark.parametrize(
    "answer",
    [
        {"success": True},
        {"success": True, "invoice": []},
        {"success": True, "invoice": {"id": "802", "client_id": "5"}},
        {"success": True, "invoice": {"id": "801", "client_id": "x", "items": "y"}},
        {"success": True, "invoice": {"id": 801, "client_id": "9" * 30, "items": [1, []]}},
        {"success": True, "invoice": {"id": "801", "items": [{"amount": "NaN", "qty": "1"}]}},
        {"success": True, "invoice": {"id": "801", "items": [{"amount": "1e999999"}]}},
        {"success": True, "invoice": {"id": "801", "items": [{"amount": []}]}},
    ],
)
def test_odd_answers_tell_nothing(here: Front, answer: dict[str, Any]) -> None:
    class Odd(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    coupon(products={"5": "5"}, max_client_usage=1)
    with HTTPServer(("127.0.0.1", 0), Odd) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        settings = replace(here.app.config["SETTINGS"], panel_url=url)
        here.app.config["PANEL"] = Panel(settings)
        found = apply(here, 801)
        server.shutdown()
    assert found["info"][1].startswith(NOT_CHECKED)
    assert (use().client_id, use().amount) == (0, None)
