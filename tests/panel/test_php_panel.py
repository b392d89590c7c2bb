"""The PHP panel of these tests: it answers as documented, and keeps a journal that counts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest

from calls import php
from tests.panel.php_panel import PhpPanel, backup_bytes, running_panel
from tests.panel.seeds import BATCHES, CODES_OF_BATCH, SINGLE_CODES

SAMPLE = json.loads((resources.files("app") / "sample" / "listPromoBatches.json").read_text())
WRONG = "Wrong API ID or API Key"
FORM = {"coupon_type": "invoice", "type": "percent", "value": "10"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PhpPanel]:
    """Run a panel for tests that leave the rows of each other alone."""
    with running_panel(tmp_path_factory.mktemp("panel")) as running:
        yield running


def fill_with_sample(panel: PhpPanel) -> None:
    """Let the sample batch of the vendor be all that a panel has."""
    panel.execute("DELETE FROM batch")
    panel.execute("DELETE FROM coupon")
    for batch in SAMPLE["batches"]:
        put(panel, "batch", batch, "coupon_config", "coupons_count", "coupons_used", "coupons")
        for coupon in batch["coupons"]:
            put(panel, "coupon", coupon)


def put(panel: PhpPanel, table: str, fields: dict[str, Any], *but: str) -> None:
    """Insert a row of the fields of an answer."""
    stored = {
        name: json.dumps(list(value)) if isinstance(value, dict | list) else value
        for name, value in fields.items()
        if name not in but
    }
    panel.insert(table, **stored)


def test_the_sample_is_answered_byte_for_byte(panel: PhpPanel) -> None:
    fill_with_sample(panel)
    panel.set(batches_per_page=100)
    body = panel.ask("listPromoBatches").body
    sorter = {"perpage": 100, "totalpages": 1, "sorterrecords": "1", "sorterpage": 1}
    expected = {"success": True, "batches": SAMPLE["batches"], "call": "listPromoBatches"}
    assert body.startswith(php.encode(expected | {"sorter": sorter})[:-1] + b',"server_time":1')

    in_batch = SAMPLE["batches"][0]["coupons"][3]
    unset = dict.fromkeys(("products", "addons", "domains", "forms"), False)
    details = in_batch | {"id": "68", "value": "1.00"} | unset | {"lastname": "", "firstname": ""}
    body = panel.ask("getPromoDetailsByCode", {"code": in_batch["code"]}).body
    assert body.startswith(php.encode({"success": True, "coupon": details})[:-1] + b',"call":')

    line = {"id": "68", "code": in_batch["code"], "status": "Active", "coupon_type": "cart"}
    line |= {"type": "percent", "value": "1.000", "num_usage": "0", "notes": ""}
    body = panel.ask("listPromoCodes", {"include_batch": 1}).body
    assert body.startswith(php.encode({"success": True, "coupons": [line]})[:-2])


def test_envelopes_have_the_documented_order(shared: PhpPanel) -> None:
    for call, arguments, keys in (
        ("getHostBillversion", {}, ["success", "version", "call", "server_time"]),
        ("addPromoCode", {"code": "A"} | FORM, ["success", "code", "call", "server_time", "info"]),
        (
            "updatePromoCode",
            {"id": 1, "code": "B"} | FORM,
            ["success", "call", "server_time", "info"],
        ),
        ("listPromoCodes", {}, ["success", "coupons", "call", "sorter", "server_time"]),
        ("getNothing", {}, ["success", "call", "server_time", "error"]),
    ):
        answer = shared.ask(call, arguments)
        assert list(answer.value) == keys
        assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
        assert answer.value["call"] == call


def test_lists_come_in_pages_and_end(panel: PhpPanel) -> None:
    for call, arguments, key, records, pages in (
        ("listPromoBatches", {}, "batches", BATCHES, 3),
        ("listPromoCodes", {}, "coupons", SINGLE_CODES, 3),
        (
            "listPromoCodes",
            {"include_batch": 1},
            "coupons",
            BATCHES * CODES_OF_BATCH + SINGLE_CODES,
            12,
        ),
    ):
        found: list[int] = []
        for page in range(pages + 1):
            answer = panel.ask(call, arguments | {"page": page}).value
            assert answer["sorter"]["totalpages"] == pages
            assert answer["sorter"]["sorterrecords"] == str(records)
            assert answer["sorter"]["sorterpage"] == page + 1
            found += [int(row["id"]) for row in answer[key]]
        assert answer[key] == []
        assert found == sorted(found, reverse=True)
        assert len(set(found)) == len(found) == records
    for page in (-1, "abc"):
        assert panel.ask("listPromoCodes", {"page": page}).value["error"] == ["Wrong parameter"]


def test_only_who_may_is_answered_whatever_its_headers_say(shared: PhpPanel) -> None:
    bound = dict(zip(("api_id", "api_key"), shared.access("127.0.0.8/30"), strict=True))
    narrow = dict(zip(("api_id", "api_key"), shared.access(calls=["getClients"]), strict=True))
    said = {"X-Forwarded-For": "127.0.0.9"}
    assert shared.ask("getClients", bound, source="127.0.0.9").value["success"]
    refused = shared.ask("getClients", bound, headers=said).value
    assert refused["error"] == ["This IP address is not allowed to use this API ID"]
    assert shared.ask("getClients", narrow).value["success"]
    assert shared.ask("getAPIMethods", narrow).value["error"] == [
        "Called method is not allowed for this API ID"
    ]
    for wrong in ({"api_key": "0" * 20}, {"api_id": "0" * 20}, {"api_key": ""}):
        assert shared.ask("getClients", wrong).value["error"] == [WRONG]


def test_a_form_sets_what_it_says(panel: PhpPanel) -> None:
    form = {
        **FORM,
        "code": "FOR-SERVERS",
        "apply_products": "on",
        "products[]": "50",
        "cycles[]": "Monthly",
        "max_usage_limit": 1,
        "usage_limit": 1,
        "max_client_usage_limit": "1",
        "max_client_usage": 1,
        "expires": "2099-12-31",
        "client_id": 7,
        "notes": "a / b",
    }
    assert panel.ask("addPromoCode", form).value["success"]
    details = panel.ask("getPromoDetailsByCode", {"code": "for-servers"}).value["coupon"]
    said = {"code": "FOR-SERVERS", "products": {"50": "50"}, "cycles": {"Monthly": "Monthly"}}
    said |= {"max_usage": "1", "max_client_usage": "1", "expires": "2099-12-31", "notes": "a / b"}
    said |= {"client_id": "7", "firstname": "Zoë", "lastname": "Last7", "categories": False}
    assert {name: details[name] for name in said} == said
    assert panel.ask("addPromoCode", form).value["error"] == ["Promotion code is taken"]
    for missing in ("code", "coupon_type", "value", "type"):
        assert panel.ask("addPromoCode", form | {missing: ""}).value["error"] == ["Wrong parameter"]

    changed = {**FORM, "id": details["id"], "code": "FOR-SERVERS", "status": "Archived"}
    assert panel.ask("updatePromoCode", changed).value["info"] == ["Coupon details changed"]
    line = panel.ask("listPromoCodes", {"perpage": 1}).value["coupons"]
    assert [(each["code"], each["status"]) for each in line] == [("FOR-SERVERS", "Archived")]


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        ({}, None),
        ({"status": "Archived"}, "Promotion code is not active"),
        ({"active": 0}, "Promotion code is not active"),
        ({"coupon_type": "cart"}, "Promotion code is not for invoices"),
        ({"expires": "2020-01-31"}, "Promotion code has expired"),
        ({"client_id": 3}, "Promotion code is for another client"),
        ({"clients": "new"}, "Promotion code is not for this client"),
        ({"clients": "existing"}, None),
        ({"max_usage": 2, "num_usage": 2}, "Promotion code is used up"),
        ({"min_cart_amount": 10.01}, "Invoice total is too low"),
        ({"products": '["42"]'}, "Promotion code is not for these items"),
        ({"products": '["50"]'}, None),
        (
            {"categories": '["8"]', "cycles": '["Annually"]'},
            "Promotion code is not for these items",
        ),
        ({"categories": '["8"]', "cycles": '["Monthly"]'}, None),
    ],
)
def test_the_panel_has_rules_of_its_own(
    shared: PhpPanel, terms: dict[str, Any], words: str | None
) -> None:
    code = f"RULE{len(shared.rows('coupon'))}"
    shared.insert(
        "coupon",
        **{"code": code, "coupon_type": "invoice", "type": "percent"} | {"value": 1} | terms,
    )
    used = shared.uses(code)
    answer = shared.ask("applyInvoiceCoupon", {"id": 841, "applycoupon": code}).value
    assert answer.get("error") == (words and [words])
    assert shared.uses(code) == used + (words is None)


def test_a_release_may_lack_calls(panel: PhpPanel) -> None:
    assert {"addPromoCode", "updatePromoCode"} <= set(panel.ask("getAPIMethods").value["methods"])
    panel.set(lacking="addPromoCode,updatePromoCode")
    methods = panel.ask("getAPIMethods").value["methods"]
    assert {"addPromoCode", "updatePromoCode"}.isdisjoint(methods)
    answer = panel.ask("updatePromoCode", {"id": 1, "code": "X"} | FORM).value
    assert answer["error"] == ["Called method is not supported"]


def test_a_coupon_stands_on_an_invoice_once(panel: PhpPanel) -> None:
    asked = {"id": 801, "applycoupon": "SINGLE000"}
    before = panel.uses("SINGLE000")
    assert panel.ask("applyInvoiceCoupon", asked).value["success"]
    assert not panel.ask("applyInvoiceCoupon", asked).value["success"]
    panel.set(repeated_coupon="accept")
    assert panel.ask("applyInvoiceCoupon", asked).value["success"]
    assert panel.uses("SINGLE000") == before + 1
    items = panel.ask("getInvoiceDetails", {"id": 801}).value["invoice"]["items"]
    assert [item["type"] for item in items] == ["Hosting", "Discount"]
    account = panel.ask("getAccountDetails", {"id": items[0]["item_id"]}).value["details"]
    assert (account["product_id"], account["billingcycle"]) == ("50", "Monthly")


def test_not_every_answer_is_json(shared: PhpPanel) -> None:
    backup = shared.ask("getBackup", {"megabytes": 3})
    assert backup.headers["Content-Type"] == "application/octet-stream"
    assert backup.body == b"".join(backup_bytes(3))
    pdf = shared.ask("getInvoicePdf", {"id": 801})
    assert pdf.headers["Content-Type"] == "application/pdf"
    assert bytes(range(256)) in pdf.body
    moved = shared.ask("openInvoice", {"id": 801})
    assert (moved.status, moved.headers["Location"][:17]) == (302, "/admin/index.php?")
    client = shared.ask(
        "addClient",
        {"firstname": "A", "lastname": "B", "email": "a@example.com", "password": "secret"},
    )
    assert client.value["success"]
    login = shared.ask("verifyClientLogin", {"email": "a@example.com", "password": "secret"})
    assert len(login.headers.get_all("Set-Cookie", [])) == 2
