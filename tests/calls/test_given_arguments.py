"""Nothing that is given is dropped in silence: lists, limits, switches and names of arguments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from flask.testing import FlaskClient

import calls
from calls.php.arguments import from_query
from calls.wire import near_misses
from calls.wire.editing import KNOWN_CYCLES
from models.promotions import coupon_life, coupons
from models.promotions.terms import Terms
from tests.calls.conftest import Ask
from tests.credentials import QUERY

pytestmark = pytest.mark.usefixtures("still_time", "store")
FORM = "application/x-www-form-urlencoded"
LEAST = "code=NARR&coupon_type=cart&value=5&type=percent"


def refusals(client: FlaskClient, **request: Any) -> list[str]:
    answer = client.post("/admin/api.php", **request).get_json()
    return answer.get("error", [])


def multipart(arguments: str) -> str:
    part = '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    return "".join(part.format(*pair) for pair in from_query(arguments.encode())) + "--b--\r\n"


@pytest.mark.any_store
@pytest.mark.parametrize(
    "given",
    [
        "products=5&products=7",
        "products=5&products[]=7",
        "products[]=5&products=7",
        "products[0]=5&products[0]=7",
        "products[a]=5&products[b]=6&products[a]=7",
    ],
)
@pytest.mark.parametrize("way", ["query", "form", "multipart"])
def test_a_list_of_which_a_value_would_be_lost_is_refused(
    client: FlaskClient, way: str, given: str
) -> None:
    arguments = f"{LEAST}&{given}"
    asked = f"{QUERY}&call=addPromoCode"
    requests = {
        "query": {"query_string": f"{asked}&{arguments}"},
        "form": {"query_string": asked, "data": arguments, "content_type": FORM},
        "multipart": {
            "query_string": asked,
            "data": multipart(arguments),
            "content_type": "multipart/form-data; boundary=b",
        },
    }
    reason = "write products[]=… for each value: one would replace another"
    assert refusals(client, **requests[way]) == [f"Wrong parameter: products ({reason})"]


@pytest.mark.parametrize("given", ["value=5&value=6", "products=5", "products[]=5&products[]=7"])
def test_the_last_of_two_plain_values_still_wins(client: FlaskClient, given: str) -> None:
    asked = f"{QUERY}&call=addPromoCode&{LEAST}&{given}"
    assert not refusals(client, query_string=asked)


def test_the_body_still_wins_over_the_query(client: FlaskClient) -> None:
    asked = f"{QUERY}&call=addPromoCode&{LEAST}&products=5"
    assert not refusals(client, query_string=asked, data="products=7", content_type=FORM)
    assert coupons.by_code("NARR").terms.products == {"7": "7"}


SHOWN: list[dict[str, Any]] = [
    {},
    {"max_usage": 1, "max_client_usage": 2, "products": {"5": "5", "7": "7"}},
    {
        "type": "fixed",
        "value": Decimal("12.5"),
        "coupon_type": "invoice_cart",
        "clients": "existing",
    },
    {"cycles": {each: each for each in KNOWN_CYCLES}, "cycle": "recurring", "applyto": "both"},
    {"cycles": {"0": "0"}, "increase_in_days": 90},
    {"domains": {".com": ".com", "co.uk": "co.uk"}, "options": "5", "upgrades": {"3": "3"}},
    {"upgrades": False, "addons": {"1": "1"}, "forms": {"2": "2"}, "categories": {"4": "4"}},
    {"client_id": 12, "firstname": "Ann", "lastname": "Ąb & <c>", "notes": "two\nlines = & +"},
    {
        "min_cart_amount": Decimal("10.25"),
        "prompt_cart_amount": Decimal(3),
        "expires": "2031-12-31",
    },
]


def http_build_query(value: Any, name: str = "") -> Iterator[str]:
    """Yield the pairs that PHP's function of this name writes."""
    if isinstance(value, dict | list):
        for key, member in value.items() if isinstance(value, dict) else enumerate(value):
            yield from http_build_query(member, f"{name}[{key}]" if name else str(key))
    elif value is not None:
        text = str(int(value)) if isinstance(value, bool) else str(value)
        yield f"{quote(name, safe='')}={quote(text, safe='')}"


@pytest.mark.parametrize("terms", SHOWN, ids=lambda terms: "-".join(terms) or "least")
@pytest.mark.parametrize("state", ["live", "archived", "stopped"])
@pytest.mark.parametrize("way", ["form", "json"])
def test_a_coupon_as_it_is_shown_makes_the_same_coupon(
    client: FlaskClient, ask: Ask, way: str, state: str, terms: dict[str, Any]
) -> None:
    made = coupons.add("FIRST", Terms.of(**({"value": Decimal(10)} | terms)))
    changes: dict[str, dict[str, Any]] = {"archived": {"live": False}, "stopped": {"active": False}}
    if state in changes:
        coupon_life.edit(made.id, made.terms.expires, **changes[state])
    shown = ask("getPromoDetailsByCode", code="FIRST")["coupon"]
    again = shown | {"code": "AGAIN"}
    sent = {
        "form": {"data": "&".join(http_build_query(again)), "content_type": FORM},
        "json": {"data": json.dumps(again), "content_type": "application/json"},
    }
    asked = f"{QUERY}&call=addPromoCode"
    assert not refusals(client, query_string=asked, **sent[way])
    copy = ask("getPromoDetailsByCode", code="AGAIN")["coupon"]
    assert copy == again | {"id": copy["id"]}


@pytest.mark.any_store
@pytest.mark.parametrize("word", ["1", "on", "yes", "true", "True", "ON"])
def test_a_switch_is_on_in_any_of_its_words(ask: Ask, word: str) -> None:
    given = {"apply_products": word, "products[]": "5", "max_usage_limit": word, "usage_limit": "3"}
    answer = ask("addPromoCode", code="A", coupon_type="cart", type="fixed", value="1", **given)
    assert "error" not in answer
    terms = coupons.by_code("A").terms
    assert (terms.products, terms.max_usage) == ({"5": "5"}, 3)


@pytest.mark.any_store
@pytest.mark.parametrize("word", ["", "0", "off", "no", "false", "False"])
def test_a_switch_that_is_off_contradicts_what_it_is_for(ask: Ask, word: str) -> None:
    given = {"apply_products": word, "products[]": "5", "max_usage_limit": word, "max_usage": "3"}
    answer = ask("addPromoCode", code="A", coupon_type="cart", type="fixed", value="1", **given)
    assert answer["error"] == [
        "Wrong parameter: apply_products (is off, but products is given)",
        "Wrong parameter: max_usage_limit (is off, but usage_limit is given)",
    ]


READS = [found for found in calls.registry().values() if not found.writes]
TOLERANT = [found.name for found in READS if not found.extension]
REFUSING = [found.name for found in calls.registry().values() if found.extension]
VENDORS_WRITES = {"addPromoCode", "updatePromoCode", "applyInvoiceCoupon"}


def test_each_call_is_the_vendors_or_an_extension() -> None:
    assert set(calls.registry()) - set(TOLERANT) - set(REFUSING) == VENDORS_WRITES


def unknown_ones(client: FlaskClient, call: str, *names: str) -> list[str]:
    """Return the names of those that the call says are unknown."""
    asked = f"{QUERY}&call={call}&{urlencode(dict.fromkeys(names, '1'))}"
    said = [each.removeprefix("Wrong parameter: ") for each in refusals(client, query_string=asked)]
    return [each.split(" (")[0] for each in said if "is unknown" in each]


@pytest.mark.any_store
@pytest.mark.parametrize("call", REFUSING)
def test_extensions_refuse_what_they_do_not_know(client: FlaskClient, call: str) -> None:
    names = ("outputformat", "_", "?", "wholly_unknown", "idd", "7")
    assert unknown_ones(client, call, *names) == ["wholly_unknown", "idd", "7"]


@pytest.mark.any_store
@pytest.mark.parametrize("call", TOLERANT)
def test_lists_of_the_vendors_stay_tolerant(client: FlaskClient, call: str) -> None:
    names = ("perpag", "include_batches", "cod", "wholly_unknown")
    assert unknown_ones(client, call, *names) == []


@pytest.mark.any_store
@pytest.mark.parametrize("call", sorted(VENDORS_WRITES))
def test_the_vendors_writes_refuse_slips_alone(client: FlaskClient, call: str) -> None:
    names = ("client-id", "idempotencykey", "wholly_unknown", "lang", "submit", "invoice")
    assert unknown_ones(client, call, *names) == ["client-id", "idempotencykey"]


@pytest.mark.any_store
@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("exipres", "expires"),
        ("expire", "expires"),
        ("EXPIRES", "expires"),
        ("maxUsage", "max_usage"),
        ("cdoe", "code"),
        ("cod", "code"),
        ("kod", None),
        ("expiration", None),
        ("", None),
        ("expiresexpires", None),
        ("x" * 255, None),
    ],
)
def test_slips_are_known(name: str, meant: str | None) -> None:
    assert near_misses.near_miss(name, ["code", "expires", "max_usage"]) == meant


def test_names_of_clients_are_cut_and_printable(client: FlaskClient) -> None:
    long = "n" * 200
    asked = f"{QUERY}&call=deletePromoCode&code=A&{long}=1&a%07%1b%FFb=1"
    assert refusals(client, query_string=asked) == [
        f"Wrong parameter: {'n' * 40}… (is unknown)",
        "Wrong parameter: a???b (is unknown)",
    ]
