"""What a recording holds in the place of values: nothing of them but their shape."""

from __future__ import annotations

import json
import re
from datetime import datetime
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.panel.shapes import LONGEST, Replaced, skeleton

KEY = bytes(range(32))
OTHER_KEY = bytes(32)
ANY = "getAccountDetails"


def replaced(value: Any, call: str = ANY, key: bytes = KEY) -> Any:
    return Replaced(key).answer(call, value)


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("hunter2", "[a-z]{6}[1-9]"),
        ("Tr0ub4dor&3", r"[A-Z][a-z][1-9][a-z]{2}[1-9][a-z]{3}\*[1-9]"),
        ("9.95", r"[1-9]\.[1-9]{2}"),
        ("Zoë", "[A-Z][a-z][à-ý]"),
        ("007", "00[1-9]"),
        ("CR2 6XH", "[A-Z]{2}[1-9] [1-9][A-Z]{2}"),
        ("a\nb\tc", "[a-z]\n[a-z] [a-z]"),
        ("$1$salt$hash/", r"\*[1-9]\*[a-z]{4}\*[a-z]{4}/"),
        ("x" * 1000, f"[a-z]{{{LONGEST}}}"),
    ],
)
def test_letters_become_letters_and_digits_digits(text: str, shape: str) -> None:
    found = replaced({"password": text})["password"]
    assert re.fullmatch(shape, found)
    assert found != text


@pytest.mark.parametrize("text", ["", "0", "0.00", "0000-00-00", "0000-00-00 00:00:00"])
def test_nothing_stays_nothing(text: str) -> None:
    assert replaced({"notes": text}) == {"notes": text}


def test_e_mails_urls_dates_and_addresses_stay_such() -> None:
    given_values = {
        "email": "mike.blue@randomhost.com",
        "host": "https://user:pass@panel.acme.com:8443/a?token=abc",
        "due": "2024-02-16",
        "last": "2024-02-27 21:12:49",
        "ip": "213.114.11.12",
    }
    found = replaced(given_values)
    assert re.fullmatch(r"[a-z]{4}\.[a-z]{4}@[a-z]{10}\.example", found["email"])
    assert re.fullmatch(r"https://\S+\.example/[a-z]\*[a-z]{5}\*[a-z]{3}", found["host"])
    assert "user" not in found["host"]
    assert datetime.strptime(found["due"], "%Y-%m-%d")  # noqa: DTZ007  # its form alone
    assert datetime.strptime(found["last"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
    assert ip_address(found["ip"]) in [ip_address(f"198.51.100.{n}") for n in range(256)]
    assert not set(found.values()) & set(given_values.values())


def test_the_same_text_is_replaced_by_the_same_one_by_one_key_alone() -> None:
    texts = ["acme", "acme", "other"]
    found = replaced({"list": texts, "name": "acme", "deep": {"er": ["acme"]}})
    assert found["list"][0] == found["list"][1] == found["name"] == found["deep"]["er"][0]
    assert found["list"][0] != found["list"][2]
    assert replaced({"list": texts}, key=OTHER_KEY)["list"] != found["list"]


def test_numbers_are_replaced_too_and_keep_their_digits() -> None:
    found = replaced({"phone": 48739126, "credit": -12.5, "none": 0, "flag": True, "gone": None})
    assert re.fullmatch("[1-9]{8}", str(found["phone"]))
    assert found["phone"] != 48739126
    assert re.fullmatch(r"-[1-9]{2}\.[1-9]{2}", str(found["credit"]))
    assert (found["none"], found["flag"], found["gone"]) == (0, True, None)


def test_what_is_known_to_be_harmless_stays() -> None:
    account = {"id": "1496", "product_id": "67", "billingcycle": "Monthly", "status": "Active"}
    sorter = {"perpage": 25, "totalpages": 39, "sorterrecords": 968, "sorterpage": 1}
    answer = {"success": True, "details": account, "call": ANY, "sorter": sorter}
    assert replaced(answer) == answer


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("id", "a4d5"),
        ("id", "12345678901"),
        ("status", "hunter"),
        ("billingcycle", "swordfish"),
        ("type", "Monthly"),
        ("value", "1234"),
        ("call", "hunter"),
        ("version", "12.34"),
    ],
)
def test_a_field_that_holds_what_it_should_not_is_replaced(field: str, text: str) -> None:
    assert replaced({field: text})[field] != text
    assert replaced({"options": [{"name": "Root password", field: text}]})["options"][0][
        field
    ] not in ("", text)


def test_terms_of_promotions_stay_and_codes_do_not() -> None:
    coupon = {
        "id": 65,
        "batch_id": "2",
        "active": "1",
        "code": "XO-UKFXB9618V7Q",
        "status": "Active",
        "coupon_type": "cart",
        "type": "percent",
        "cycles": {"Monthly": "Monthly"},
        "products": {"51234": "51234"},
        "domains": {".com": ".com"},
        "value": 1.25,
        "expires": "2030-01-31",
        "notes": "for Mike",
        "client_id": "7",
    }
    found = replaced({"coupon": coupon}, "getPromoDetailsByCode")["coupon"]
    gone = {"code", "notes", "domains"}
    assert {name for name in coupon if found[name] != coupon[name]} == gone
    assert re.fullmatch("[A-Z]{2}-[A-Z1-9]{12}", found["code"])
    assert list(found["domains"]) == list(found["domains"].values())


def test_keys_that_are_data_are_replaced_and_names_of_fields_are_not() -> None:
    answer = {
        "mike@acme.com": {"id": "1"},
        "clients": {"john": {"id": "1", "name": "x"}, "mike": {"id": "2", "name": "y"}},
        "domains": {"acme": "acme", "lookup": {"id": "1", "key": "lookup"}},
        "rows": {"1": {"id": "1"}, "2": {"id": "2"}},
        "phones": {"48739126543": "x"},
        "serverIp": "x",
        "Smith": "x",
        "root_password": "hunter2",
    }
    found = replaced(answer)
    text = json.dumps(found)
    for gone in ("mike", "john", "acme", "lookup", "48739126543", "Smith", "hunter2"):
        assert gone not in text, gone
    assert {"clients", "domains", "rows", "phones", "serverIp", "root_password"} <= found.keys()
    assert list(found["rows"]) == ["1", "2"]
    assert [list(each) for each in found["clients"].values()] == [["id", "name"]] * 2


def test_two_keys_stay_two() -> None:
    shapes = skeleton(ANY, {"hosts": {"a.com": 1, "b.com": 2}})
    assert len(shapes["hosts"]) == 2


KEYS = st.text(max_size=8).map("k-{}".format) | st.sampled_from(["id", "value", "K", "12345"])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.text(max_size=40)
    | st.sampled_from(["a@b.cd", "http://a.b/c", "1.2.3.4", "2020-01-02", "0", "00:1", "-", "\n"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.sampled_from([ANY, "listPromoCodes"]))
def test_an_answer_and_its_recording_have_one_skeleton(value: Any, call: str) -> None:
    recorded = replaced(value, call)
    assert skeleton(call, recorded) == skeleton(call, value)
    assert json.loads(json.dumps(recorded)) == recorded
