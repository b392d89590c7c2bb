"""promobridge import: saved answers in, the same bytes out."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import permutations
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import config, create_app
from app.exchange.saved_answers import store_files
from calls import php
from models.access import accesses
from models.promotions import coupons
from models.promotions.batches import Batch
from models.redemptions import redemptions
from models.redemptions.use_rules import Use
from tests.credentials import CREDENTIALS, PAIR
from tests.recount import assert_counts_are_right
from tests.saved import ONE, answer, batch, coupon, details, line, save, stored

Body = Callable[..., bytes]

COUPONS = {
    "plain": {},
    "expired": {"expires": "2020-02-29", "active": "0"},
    "archived": {"status": "Archived"},
    "half": {"value": 12.5},
    "eighth": {"value": 11.125, "type": "fixed"},
    "limited": {"max_usage": "5", "num_usage": "3", "max_client_usage": "1"},
    "groups": {
        "cycles": {"Monthly": "Monthly", "Annually": "Annually"},
        "products": {"7": "7", "3": "3"},
        "categories": {"42": "42"},
        "addons": {"1": "1"},
        "domains": {".com": ".com"},
        "forms": {"9": "9"},
    },
    "bound": {"clients": "existing", "client_id": "12", "coupon_type": "invoice_cart"},
    "recurring": {"cycle": "recurring", "increase_in_days": "90", "applyto": "both"},
    "carts": {"min_cart_amount": "25.50", "prompt_cart_amount": "10.00"},
    "texts": {"notes": 'Zażółć "50%" </b>\n', "options": "4", "upgrades": {"2": "2"}},
    "no upgrades": {"upgrades": False},
    "null upgrades": {"upgrades": None},
}
UNKNOWN = [1.5, True, None, "%s/é", {"deep": [{"er": {}}]}, {}, [], {"0": "list-like"}, 1e25]


def with_unknown(known: dict[str, Any]) -> dict[str, Any]:
    """Return an object with unknown members at its head, in its middle and at its end."""
    names = list(known)
    mixed: dict[str, Any] = {"first": UNKNOWN[0], "terms": "%d"}
    for at, name in enumerate(names):
        mixed[name] = known[name]
        if at == len(names) // 2:
            mixed |= {"middle": UNKNOWN, "": 0, "live": "a name of ours"}
    return mixed | {"last": UNKNOWN[4], "extra": []}


def wire(value: Any) -> bytes:
    """Return the bytes that PHP prints, with objects as objects."""
    if isinstance(value, dict):
        members = (php.encode(key) + b":" + wire(member) for key, member in value.items())
        return b"{" + b",".join(members) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(wire, value)) + b"]"
    return php.encode(value)


@pytest.fixture
def body(client: FlaskClient) -> Body:
    """Return a function that returns the body of a call."""

    def called(name: str, **arguments: Any) -> bytes:
        query = CREDENTIALS | {"call": name} | arguments
        return client.get("/admin/api.php", query_string=query).data

    return called


@pytest.mark.parametrize("name", COUPONS)
def test_a_coupon_comes_out_of_all_three_calls_as_it_went_in(
    name: str, body: Body, tmp_path: Path
) -> None:
    inside = coupon(70, 7, **COUPONS[name])
    batches = [batch(7, [inside], coupons_count=1)]
    one = details(inside, lastname="Nowak", firstname="Łucja")
    lines = [line(inside)]
    files = [
        save(tmp_path / "lines.json", answer("coupons", lines)),
        save(tmp_path / "details.json", answer("coupon", one)),
        save(tmp_path / "batches.json", answer("batches", batches)),
    ]
    store_files(files)
    assert b'{"success":true,"batches":' + wire(batches) + b"," in body("listPromoBatches")
    shown = body("getPromoDetailsByCode", code=inside["code"])
    assert b'{"success":true,"coupon":' + wire(one) + b"," in shown
    listed = body("listPromoCodes", include_batch="1")
    assert b'{"success":true,"coupons":' + wire(lines) + b"," in listed
    assert b'"coupons":[],' in body("listPromoCodes")
    again = store_files(files)
    assert (again.batches, again.coupons) == ({"unchanged": 1}, {"unchanged": 3})
    assert_counts_are_right()


def test_unknown_members_come_out_where_they_were(body: Body, tmp_path: Path) -> None:
    inside = [with_unknown(coupon(70, 7)), coupon(71, 7), with_unknown(coupon(72, 7, value=5))]
    inside += [{"new": 1} | coupon(73, 7), coupon(74, 7) | {"new": 1}]
    head = with_unknown(batch(7, inside))
    head["coupon_config"] = {"new": {"a": [1.25]}} | head["coupon_config"] | {"newer": None}
    one = with_unknown(details(coupon(70, 7)))
    lines = [with_unknown(line(each)) for each in (coupon(72, 7, value=5), coupon(70, 7))]
    lines.insert(1, line(coupon(71, 7)))
    lines = [line(coupon(74, 7)), line(coupon(73, 7)), *lines]
    store_files([save(tmp_path / "a.json", answer("batches", [head]))])
    store_files([save(tmp_path / "b.json", answer("coupon", one), answer("coupons", lines))])
    assert b'"batches":' + wire([head]) + b"," in body("listPromoBatches")
    assert b'"coupon":' + wire(one) + b"," in body("getPromoDetailsByCode", code="SPRING70")
    assert b'"coupons":' + wire(lines) + b"," in body("listPromoCodes", include_batch="1")


def test_a_member_that_is_known_no_more_is_gone(body: Body, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    store_files([save(path, answer("batches", [batch(7, [coupon(70, 7, new=1)], newer=2)]))])
    assert b'"new":1' in body("listPromoBatches")
    plain = [batch(7, [coupon(70, 7)])]
    store_files([save(path, answer("batches", plain))])
    assert b'"batches":' + wire(plain) + b"," in body("listPromoBatches")


@pytest.mark.parametrize(
    "config_",
    [
        [],
        {"cycle": "recurring"},
        {"cycle": 5, "client_id": [], "products": "7", "categories": [7], "cycles": [5]},
        {"products": ["7", "3"], "apply_products": "1", "cycles": ["Monthly"], "notes": "n"},
    ],
)
@pytest.mark.parametrize("filled", [False, True])
def test_a_configuration_comes_out_as_it_went_in(
    config_: Any, filled: bool, body: Body, tmp_path: Path
) -> None:
    batches = [batch(7, [coupon(70, 7)] if filled else [], coupon_config=config_)]
    store_files([save(tmp_path / "a.json", answer("batches", batches))])
    assert b'"batches":' + wire(batches) + b"," in body("listPromoBatches")
    assert Batch.get().config == config_


def test_a_usual_configuration_is_the_terms(body: Body, tmp_path: Path) -> None:
    chosen = {"products": ["7", "3"], "cycles": ["Monthly"]}
    usual = batch(7, [])["coupon_config"] | {"client_id": "12", "apply_products": "1"} | chosen
    batches = [batch(7, [], coupon_config=usual, value="12.50", type="fixed")]
    store_files([save(tmp_path / "a.json", answer("batches", batches))])
    assert b'"batches":' + wire(batches) + b"," in body("listPromoBatches")
    stored_ = Batch.get()
    assert stored_.config is None
    assert stored_.terms.client_id == 12
    assert stored_.terms.products == {"7": "7", "3": "3"}
    assert (str(stored_.terms.value), stored_.terms.type) == ("12.5", "fixed")


def test_a_batch_counts_what_its_answer_counts(body: Body, tmp_path: Path) -> None:
    inside = [coupon(70, 7, num_usage="2")]
    batches = [
        batch(8, [], coupons_count=5, coupons_used="9", created_at="0000-00-00 00:00:00"),
        batch(7, inside, coupons_count=40, coupons_used="31", status="Archived"),
    ]
    store_files([save(tmp_path / "a.json", answer("batches", batches))])
    assert b'"batches":' + wire(batches) + b"," in body("listPromoBatches")


def test_one_code_may_be_live_twice(body: Body, tmp_path: Path) -> None:
    lines = [line(coupon(number, code="SAME", value=number)) for number in (9, 3, 1)]
    lines[1]["status"] = "Archived"
    path = save(tmp_path / "a.json", answer("coupons", lines))
    store_files([path])
    assert b'"coupons":' + wire(lines) + b"," in body("listPromoCodes")
    assert b'"coupon":{"id":"9",' in body("getPromoDetailsByCode", code="SAME")
    assert store_files([path]).coupons == {"unchanged": 3}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_any_order_twice_changes_nothing_the_second_time(
    order: tuple[int, ...], body: Body, tmp_path: Path
) -> None:
    """One run stores batches first; several runs store in any order."""
    inside = [coupon(70, 7, value=11.125, num_usage="2"), coupon(71, 7, new=[])]
    one = details(coupon(70, 7, value=11.13, num_usage="2"), lastname="Nowak", new=1)
    other = line(coupon(70, 7, value=11.125, num_usage="2"), newer=2)
    files = [
        save(tmp_path / "a.json", answer("batches", [batch(7, inside, value="11.13")])),
        save(tmp_path / "b.json", answer("coupon", one)),
        save(tmp_path / "c.json", answer("coupons", [other])),
    ]
    for at in order:
        store_files([files[at]])
    before = stored()
    for at in order:
        done = store_files([files[at]])
        assert {*done.batches, *done.coupons} == {"unchanged"}
    assert stored() == before
    assert b'"batches":' + wire([batch(7, inside, value="11.13")]) in body("listPromoBatches")
    assert b'"coupon":' + wire(one) in body("getPromoDetailsByCode", code="SPRING70")
    assert wire(other) in body("listPromoCodes", include_batch="1")
    assert_counts_are_right()


@pytest.mark.parametrize("places", range(5))
def test_amounts_of_any_currency_go_in_as_they_came_out(
    places: int, app: Flask, body: Body, tmp_path: Path
) -> None:
    inside = [coupon(70, 7, value=1.555, type="fixed", min_cart_amount="20.005")]
    store_files([save(tmp_path / "a.json", answer("batches", [batch(7, inside, value="1.555")]))])
    before = stored()
    app.config["SETTINGS"] = replace(app.config["SETTINGS"], amount_places=places)
    shown = [
        body("listPromoBatches"),
        body("getPromoDetailsByCode", code="SPRING70"),
        body("listPromoCodes", include_batch="1"),
    ]
    for at, answered in enumerate(shown):
        file = tmp_path / f"{at}.json"
        file.write_bytes(answered)
        done = store_files([str(file)])
        assert {*done.batches, *done.coupons} == {"unchanged"}
    assert stored() == before


def test_a_changed_file_is_answered_as_it_is_now(body: Body, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    store_files([save(path, answer("batches", [batch(7, [coupon(70, 7), coupon(71, 7)])]))])
    body("listPromoBatches")  # what is kept for this answer must not come again
    inside = [coupon(70, 7, notes="new", num_usage="4"), coupon(71, 7), coupon(72, 7)]
    batches = [batch(7, inside, name="Easter", updated_at="2024-01-01 00:00:00")]
    done = store_files([save(path, answer("batches", batches))])
    assert done.batches == {"changed": 1}
    assert done.coupons == {"changed": 1, "unchanged": 1, "new": 1}
    assert b'"batches":' + wire(batches) + b"," in body("listPromoBatches")


def test_uses_that_were_counted_here_survive(body: Body, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    old = answer("batches", [batch(7, [coupon(70, 7, num_usage="3")])])
    store_files([save(path, old)])
    redemptions.redeem(coupons.by_code("SPRING70"), Use(today=date(2024, 5, 1), places=2))
    store_files([str(path)])
    assert b'"coupons_used":"4"' in body("listPromoBatches")
    store_files([save(path, answer("batches", [batch(7, [coupon(70, 7, num_usage="8")])]))])
    assert b'"coupons_used":"9"' in body("listPromoBatches")
    assert_counts_are_right()


def test_times_are_those_of_the_installation(settings: config.Settings, tmp_path: Path) -> None:
    warsaw = ZoneInfo("Europe/Warsaw")
    path = save(tmp_path / "a.json", answer("batches", [batch(7, [])]))
    local = config.Settings(database_url=settings.database_url, timezone="Europe/Warsaw")
    app = create_app(local)
    with app.app_context():
        accesses.add("tests", PAIR)
        store_files([path], warsaw)
        assert Batch.get().created_at == datetime(2023, 3, 14, 2, 20, 34, tzinfo=UTC).timestamp()
        query = CREDENTIALS | {"call": "listPromoBatches"}
        shown = app.test_client().get("/admin/api.php", query_string=query).data
        assert b'"created_at":"2023-03-14 03:20:34"' in shown
    app.config["USAGE_LOG"].close()


PAGES = [answer("coupons", [line(coupon(9)), line(coupon(3))]), answer("coupons", [])]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    "text",
    [
        json.dumps([*PAGES, ONE]),
        "\n".join(map(json.dumps, [*PAGES, ONE])) + "\n",
        "".join(map(json.dumps, [ONE, *PAGES])),
        json.dumps(PAGES) + "\r\n\t " + json.dumps(ONE, indent=2),
        "\ufeff" + json.dumps([ONE, *PAGES], ensure_ascii=False),
    ],
)
def test_many_pages_may_be_in_one_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "pages.json"
    path.write_text(text)
    assert store_files([str(path)]).coupons == {"new": 3}


def test_an_empty_page_is_an_answer(store: config.Settings, tmp_path: Path) -> None:
    done = store_files([save(tmp_path / "a.json", answer("batches", []))])
    assert (done.batches, done.coupons) == ({}, {})


@pytest.mark.usefixtures("store")
def test_a_full_page_takes_seconds(tmp_path: Path) -> None:
    batches = [
        batch(number, [coupon(number * 1000 + at, number) for at in range(100)])
        for number in range(100, 0, -1)
    ]
    path = save(tmp_path / "page.json", answer("batches", batches))
    started = time.monotonic()
    assert store_files([path]).coupons == {"new": 10_000}
    assert store_files([path]).coupons == {"unchanged": 10_000}
    assert time.monotonic() - started < 30
    assert_counts_are_right()
