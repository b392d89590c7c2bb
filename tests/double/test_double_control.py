"""Control of a double: reset, seed, snapshots, the clock, and who may use it."""

from __future__ import annotations

import json
import statistics
import time
from ipaddress import ip_network
from typing import Any

import pytest
from flask import Flask

from app.double import control
from tests.double.conftest import Started

TERMS = {"coupon_type": "cart", "type": "percent", "value": "5"}
LOOPBACK = {"Host": "127.0.0.1:8099"}


def codes(double: Started) -> set[str]:
    listed = double.call("listPromoCodes", perpage="1000", include_batch="1")
    assert listed["success"], listed
    return {coupon["code"] for coupon in listed["coupons"]}


def test_reset_brings_back_the_seed_and_forgets_the_rest(double: Started) -> None:
    begun = codes(double)
    page = double.called("listPromoBatches").json["batches"]
    double.call("addPromoCode", code="MINE", **TERMS)
    double.call("editPromoBatch", id=str(page[0]["id"]), name="Another")
    double.control("PUT", "stubs", {"call": "getClients", "answers": [{"clients": [1]}]})
    double.control("PUT", "faults", {"call": "listPromoCodes", "status": 500})
    double.control("PUT", "clock", {"frozen": "2030-01-01"})
    assert double.call("getClients")["clients"] == [1]
    double.control("POST", "reset")
    assert double.control("GET", "requests?count") == {"count": 0}
    assert codes(double) == begun
    assert double.call("listPromoBatches")["batches"] == page
    assert double.call("getClients")["error"] == ["no stub for getClients"]
    assert not double.control("GET", "clock")["frozen"]


def test_reset_takes_few_milliseconds_with_a_thousand_codes(double: Started) -> None:
    made = double.call("addPromoBatch", name="Large", size="1000", **TERMS)
    assert made["success"], made
    before = double.control("POST", "snapshot")["snapshot"]
    taken = []
    for _ in range(9):
        begin = time.perf_counter()
        double.control("POST", "restore", {"snapshot": before})
        taken.append(time.perf_counter() - begin)
    assert len(codes(double)) > 1000 or double.call("listPromoBatches")["batches"][0]["name"]
    assert statistics.median(taken) < 0.1  # 20 ms is measured; CI's machine may be busy


@pytest.mark.parametrize("back", ["reset", "restore"])
def test_no_cache_outlives_it(double: Started, back: str) -> None:
    """Ids begin anew, so that whatever is kept by an id would be shown of another row."""
    name = double.control("POST", "snapshot")["snapshot"]

    def go_back() -> None:
        double.control("POST", back, {"snapshot": name} if back == "restore" else None)

    def make(word: str, value: str) -> tuple[Any, ...]:
        terms = TERMS | {"value": value}
        made = double.call("addPromoCode", code=word, idempotency_key="k", **terms)
        assert made["success"], made
        batch = double.call("addPromoBatch", name=word, size="2", prefix=f"{word}-", **terms)
        listed = double.call("listPromoBatches")["batches"]
        mine = next(each for each in listed if each["name"] == word)
        details = double.call("getPromoDetailsByCode", code=word)["coupon"]
        assert {each["code"][:4] for each in mine["coupons"]} == {f"{word}-"}
        assert details["value"].startswith(value)
        return batch["id"] if "id" in batch else mine["id"], details["id"]

    first = make("ONE", "5")
    go_back()
    assert make("TWO", "7") == first
    go_back()
    for _ in range(30):  # until it is locked out
        double.call("listPromoBatches", api_key="wrong")
    assert double.called("listPromoBatches").status == 429
    go_back()
    assert double.called("listPromoBatches").status == 200
    go_back()
    # A usage log that was still in memory belongs to what is gone.
    double.call("getHostBillversion")
    go_back()
    assert double.call("listAPIUsage")["success"]


def test_a_snapshot_is_gone_back_to_as_often_as_wanted(double: Started) -> None:
    double.call("addPromoCode", code="KEPT", **TERMS)
    kept = double.control("POST", "snapshot")["snapshot"]
    for _ in range(2):
        double.call("deletePromoCode", code="KEPT")
        assert "KEPT" not in codes(double)
        double.control("POST", "restore", {"snapshot": kept})
        assert "KEPT" in codes(double)
    wrong = double.control("POST", "restore", {"snapshot": "nine"}, status=400)
    assert wrong == {"error": "There is no snapshot nine"}


def test_another_seed_is_what_reset_goes_back_to(double: Started) -> None:
    given = {"calls": [{"call": "addPromoCode", "code": "SOWN", **TERMS}]}
    double.control("POST", "seed", given)
    assert codes(double) == {"SOWN"}
    double.call("deletePromoCode", code="SOWN")
    double.control("POST", "reset")
    assert codes(double) == {"SOWN"}
    refused = {"calls": [{"call": "addPromoCode", "code": "SOWN", **TERMS, "value": "x"}]}
    said = double.control("POST", "seed", refused, status=400)["error"]
    assert said.startswith("Call 1 of the seed (addPromoCode) was refused: Wrong parameter")
    assert codes(double) == {"SOWN"}
    double.control("DELETE", "seed")
    assert "SOWN" not in codes(double)
    double.control("POST", "reset")
    assert "FIRSTORDER" in codes(double)


class TestClock:
    def test_expiry_and_server_time_follow(self, double: Started) -> None:
        terms = TERMS | {"expires": "2030-06-30"}
        double.call("addPromoCode", code="SUMMER", **terms)
        assert double.call("validatePromoCode", code="SUMMER")["success"]
        double.control("PUT", "clock", {"frozen": "2030-06-30T12:00:00Z"})
        assert double.call("validatePromoCode", code="SUMMER")["server_time"] == 1_909_051_200
        told = double.control("PUT", "clock", {"advance": 86_400})
        assert told == {"now": "2030-07-01T12:00:00Z", "frozen": True}
        late = double.call("validatePromoCode", code="SUMMER")
        assert not late.get("valid", late["success"])
        double.control("PUT", "clock", {"real": True})
        assert double.call("getHostBillversion")["server_time"] < 1_909_051_200

    def test_a_running_clock_is_set_forward_and_lockouts_end(self, double: Started) -> None:
        before = double.call("getHostBillversion")["server_time"]
        for _ in range(30):
            double.call("listPromoBatches", api_key="wrong")
        assert double.called("getHostBillversion").status == 429
        double.control("PUT", "clock", {"advance": 3600})
        after = double.call("getHostBillversion")["server_time"]
        assert 3600 <= after - before < 3660

    @pytest.mark.parametrize(
        ("body", "said"),
        [
            ({"frozen": "soon"}, "'soon' is no time"),
            ({"frozen": -1}, "'-1' is no time"),
            ({"advance": 1e12}, "is no time"),
            ({"advance": "x"}, "advance: Not a valid number."),
            ({}, "One of frozen, advance, real is needed"),
            ({"stopped": 1}, "stopped: Unknown field."),
            ({"real": True, "advance": 1}, "One of frozen, advance, real is needed"),
        ],
    )
    def test_what_is_no_time_gets_a_sentence(
        self, double: Started, body: dict[str, Any], said: str
    ) -> None:
        assert said in double.control("PUT", "clock", body, status=400)["error"]


class TestWhoMayControl:
    def test_a_page_of_a_browser_may_not(self, double: Started) -> None:
        for origin in ("https://example.com", "http://127.0.0.1", "null"):
            answer = double.send("POST", "/_double/reset", headers={"Origin": origin})
            assert (answer.status, "Origin" in answer.json["error"]) == (403, True)

    def test_a_name_that_leads_here_from_elsewhere_may_not(self, double: Started) -> None:
        answer = double.send("POST", "/_double/reset", headers={"Host": "rebound.example.com"})
        assert (answer.status, "Host" in answer.json["error"]) == (403, True)
        assert double.send("POST", "/_double/reset", headers=LOOPBACK).status == 204

    @pytest.mark.parametrize(
        ("address", "networks", "may"),
        [
            ("172.17.0.1", [], False),
            ("172.17.0.1", ["172.16.0.0/12"], True),
            ("192.0.2.1", ["172.16.0.0/12"], False),
            ("::1", [], True),
            ("", [], False),
        ],
    )
    def test_other_machines_may_where_they_are_named(
        self, address: str, networks: list[str], may: bool
    ) -> None:
        host = "localhost:8099" if address == "::1" else "double:8099"
        asked = {"environ_base": {"REMOTE_ADDR": address}, "headers": {"Host": host}}
        with Flask("control").test_request_context("/_double/ready", **asked):
            refused = control._refused([ip_network(each) for each in networks])
            assert (refused is None) == may
            assert refused is None or "--control-from" in refused.get_data(as_text=True)

    @pytest.mark.parametrize(
        ("host", "may"),
        [
            ("172.17.0.2:8099", True),
            ("[fd00::2]:8099", True),
            ("double:8099", True),
            ("host.docker.internal:8099", True),
            ("double.tests.svc.cluster.local", True),
            ("rebound.example.com:8099", False),
            ("172.17.0.2.example.com", False),
            ("internal.example.com", False),
            ("[fd00::2", False),
        ],
    )
    def test_a_public_name_may_not_even_from_a_named_network(self, host: str, may: bool) -> None:
        asked = {"environ_base": {"REMOTE_ADDR": "172.17.0.1"}, "headers": {"Host": host}}
        with Flask("control").test_request_context("/_double/ready", **asked):
            refused = control._refused([ip_network("172.16.0.0/12")])
            assert (refused is None) == may
            assert refused is None or "Host" in refused.get_data(as_text=True)

    def test_what_is_not_there_and_what_is_no_json(self, double: Started) -> None:
        assert double.control("GET", "nothing", status=404)["error"]
        assert double.control("POST", "clock", status=405)["error"]
        answer = double.send("PUT", "/_double/clock", b"[1]")
        assert (answer.status, answer.json) == (
            400,
            {"error": "The body must be a JSON object, and not go too deep"},
        )
        deep = b"[" * 100_000
        assert double.send("PUT", "/_double/stubs", deep).status == 400

    def test_other_modes_have_no_control(self, client: Any) -> None:
        for path in ("/_double/ready", "/_double/reset"):
            answer = client.post(path)
            assert answer.status_code == 404
            assert "X-Promobridge-Double" not in answer.headers
            assert json.loads(answer.data)["success"] is False
