"""Faults that tests ask for."""

from __future__ import annotations

import http.client
import time
from typing import Any

import pytest

from tests.double.conftest import NO_ANSWER, Started

USE = {"code": "ANYTIME", "client_id": "77"}


def used(double: Started) -> int:
    details = double.call("getPromoDetailsByCode", code=USE["code"])
    return int(details["coupon"]["num_usage"])


@pytest.fixture(autouse=True)
def free(double: Started) -> None:
    """Make a code that may be used as often as wanted."""
    terms = {"coupon_type": "cart", "type": "percent", "value": "5"}
    assert double.call("addPromoCode", code=USE["code"], **terms)["success"]


class TestKinds:
    def test_a_status_comes_once_and_nothing_is_changed(self, double: Started) -> None:
        before = used(double)
        fault = {"call": "redeemPromoCode", "times": 1, "status": 503, "retry_after": 7}
        double.control("PUT", "faults", fault)
        answer = double.called("redeemPromoCode", **USE)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "7")
        assert answer.json["call"] == "redeemPromoCode"
        assert used(double) == before
        assert double.call("redeemPromoCode", **USE)["success"]
        assert used(double) == before + 1

    def test_an_error_of_the_panel(self, double: Started) -> None:
        double.control("PUT", "faults", {"error": "Database gone", "times": 2})
        assert double.call("listPromoBatches")["error"] == ["Database gone"]
        rest = double.rest("GET", "/campaigns/codes?slug=summer-promo")
        assert rest.json == {"message": "Database gone", "code": 400, "status": "error"}
        assert double.call("listPromoBatches")["success"]

    def test_html_where_json_is_waited_for(self, double: Started) -> None:
        double.control("PUT", "faults", {"html": "<h1>Be right back</h1>", "times": 1})
        answer = double.called("listPromoBatches")
        assert answer.headers["Content-Type"].startswith("text/html")
        assert answer.body == b"<h1>Be right back</h1>"

    def test_a_delay(self, double: Started) -> None:
        double.control("PUT", "faults", {"call": "getHostBillversion", "delay": 0.4, "times": 1})
        begin = time.monotonic()
        assert double.call("getHostBillversion")["success"]
        assert time.monotonic() - begin >= 0.4

    def test_an_answer_that_is_cut_off(self, double: Started) -> None:
        double.control("PUT", "faults", {"call": "listPromoBatches", "cut": True, "times": 1})
        with pytest.raises(http.client.IncompleteRead) as broken:
            double.call("listPromoBatches")
        assert broken.value.partial.startswith(b'{"success":true')
        assert double.call("listPromoBatches")["success"]

    @pytest.mark.parametrize(("kind", "more"), [("drop", 0), ("lose_answer", 1)])
    def test_no_answer_before_or_after_the_change(
        self, double: Started, kind: str, more: int
    ) -> None:
        before = used(double)
        double.control("PUT", "faults", {"call": "redeemPromoCode", kind: True, "times": 1})
        with pytest.raises(NO_ANSWER):
            double.call("redeemPromoCode", **USE)
        assert used(double) == before + more

    def test_a_part_of_all_by_chance(self, double: Started) -> None:
        double.control("PUT", "faults", {"probability": 0.5, "error": "sometimes"})
        found = {double.call("getHostBillversion")["success"] for _ in range(60)}
        assert found == {True, False}
        double.control("DELETE", "faults")
        assert all(double.call("getHostBillversion")["success"] for _ in range(20))

    def test_an_endpoint_of_the_rest_api(self, double: Started) -> None:
        call = "POST /v1/campaigns/{slug}/redeem"
        double.control("PUT", "faults", {"call": call, "status": 500})
        assert double.rest("POST", "/campaigns/summer-promo/redeem", {}).status == 500
        double.control("DELETE", "faults?call=listPromoBatches")
        assert double.rest("POST", "/campaigns/summer-promo/redeem", {}).status == 500
        double.control("DELETE", "faults?call=POST%20/v1/campaigns/%7Bslug%7D/redeem")
        assert double.rest("POST", "/campaigns/summer-promo/redeem", {}).status == 400


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"call": "redeemPromo", "drop": True}, "Did you mean redeemPromoCode?"),
        ({"call": "zzz", "drop": True}, "There is no call zzz here. Set a stub for it first."),
        ({}, "One of delay, status, error, html, cut, drop, lose_answer is needed, not 0"),
        ({"drop": True, "cut": True}, "not 2"),
        ({"drop": False}, "drop: Must be equal to True."),
        ({"status": 200}, "status: Must be greater than or equal to 400"),
        ({"delay": 10_000}, "delay: Must be greater than or equal to 0"),
        ({"drop": True, "times": 0}, "times: Must be greater than or equal to 1"),
        ({"drop": True, "probability": 2}, "probability: Must be greater than or equal to 0"),
        ({"drop": True, "times": 1, "probability": 0.5}, "times and probability"),
        ({"drop": True, "retry_after": 1}, "retry_after goes with status alone"),
        ({"drops": True}, "drops: Unknown field."),
    ],
)
def test_what_is_no_fault_gets_a_sentence(double: Started, body: dict[str, Any], said: str) -> None:
    assert said in double.control("PUT", "faults", body, status=400)["error"]
