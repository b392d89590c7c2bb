"""Faults that tests ask for."""

from __future__ import annotations

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from app.double.asked import RPC, Asked
from app.double.faults import Faults
from tests.double.conftest import NO_ANSWER, PAIR, Started
from tests.waiting import wait_until

CALLER = {"api_id": PAIR.api_id, "api_key": PAIR.api_key, "call": "listPromoBatches"}
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
        assert rest.json["message"] == "Database gone"
        assert set(rest.json) == set(double.rest("GET", "/nothing").json)
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

    def test_a_lost_answer_is_given_again_by_its_key(self, double: Started) -> None:
        before = used(double)
        use = USE | {"idempotency_key": "order-1"}
        double.control("PUT", "faults", {"call": "redeemPromoCode", "lose_answer": True})
        with pytest.raises(NO_ANSWER):
            double.call("redeemPromoCode", **use)
        double.control("DELETE", "faults")
        first, again = (double.called("redeemPromoCode", **use).body for _ in range(2))
        assert first == again
        assert used(double) == before + 1
        noted = double.control("GET", "requests?call=redeemPromoCode")["requests"]
        assert [each["status"] for each in noted] == [200, 200, 200]

    def test_a_connection_goes_on_after_an_answer_that_is_a_fault(self, double: Started) -> None:
        double.control("PUT", "faults", {"call": "listPromoBatches", "status": 503, "times": 2})
        connection = http.client.HTTPConnection(urlsplit(double.url).netloc, timeout=30)
        with closing(connection):
            found = []
            for _ in range(3):
                connection.request("GET", f"/admin/api.php?{urlencode(CALLER)}")
                answer = connection.getresponse()
                answer.read()
                found.append(answer.status)
                assert answer.getheader("X-Promobridge-Double") == "1"
        assert found == [503, 503, 200]

    def test_names_are_those_of_any_case_and_of_what_is_remembered(self, double: Started) -> None:
        for call in ("ACCOUNTSETDISCOUNT", "getAffiliateVouchers"):
            double.control("PUT", "faults", {"call": call, "error": "no"})
        assert double.call("accountSetDiscount", id="7")["error"] == ["no"]
        double.control("DELETE", "faults?call=accountSetDiscount")
        assert double.call("accountSetDiscount", id="7").get("error") != ["no"]
        assert double.call("getAffiliateVouchers")["error"] == ["no"]

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
        ({"call": "REDEEMPROMO", "drop": True}, "Did you mean redeemPromoCode?"),
        ({"call": "zzz", "drop": True}, "There is no call zzz here. Set a stub for it first."),
        ({}, "One of delay, status, error, html, cut, drop, lose_answer is needed, not 0"),
        ({"drop": True, "cut": True}, "not 2"),
        ({"drop": False}, "drop: Must be true."),
        ({"lose_answer": "yes"}, "lose_answer: Must be true."),
        ({"cut": 1}, "cut: Must be true."),
        ({"delay": "1"}, "delay: Not a valid number."),
        ({"delay": True}, "delay: Not a valid number."),
        ({"drop": True, "probability": "0.5"}, "probability: Not a valid number."),
        ({"drop": True, "times": "1"}, "times: Not a valid integer."),
        ({"error": ""}, "error: Length must be between 1 and 1000."),
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


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "faults?cal=redeemPromoCode"),
        ("DELETE", "stubs?cal=getClients"),
        ("GET", "requests?cal=getClients"),
        ("DELETE", "requests?call=getClients"),
    ],
)
def test_a_filter_that_is_none_deletes_nothing(double: Started, method: str, path: str) -> None:
    double.control("PUT", "faults", {"call": "getHostBillversion", "error": "still"})
    name = path.partition("?")[2].partition("=")[0]
    said = double.control(method, path, status=400)["error"]
    assert said.startswith(f"{name} is not read here")
    assert double.call("getHostBillversion")["error"] == ["still"]
    assert double.control("GET", "requests?call=getHostBillversion&count") == {"count": 1}


class TestWaiting:
    """Requests that a fault delays, longer than any test waits."""

    LONG = 500

    def waiting(self, double: Started, call: str, count: int) -> None:
        wait_until(lambda: double.control("GET", f"requests?call={call}&count") == {"count": count})

    @pytest.mark.parametrize("back", ["reset", "restore"])
    def test_none_outlives_its_test(self, double: Started, back: str) -> None:
        name = double.control("POST", "snapshot")["snapshot"]
        fault = {"call": "deletePromoCode", "delay": self.LONG}
        double.control("PUT", "faults", fault)
        with ThreadPoolExecutor() as pool:
            late = pool.submit(double.call, "deletePromoCode", code="FIRSTORDER")
            self.waiting(double, "deletePromoCode", 1)
            assert double.control("GET", "requests")["requests"][-1]["status"] == 0
            double.control("POST", back, {"snapshot": name} if back == "restore" else None)
            assert isinstance(late.exception(10), NO_ANSWER)
        assert double.call("getPromoDetailsByCode", code="FIRSTORDER")["success"]
        asked = double.control("GET", "requests?call=deletePromoCode&count")["count"]
        assert asked == (0 if back == "reset" else 1)

    def test_they_leave_room_for_control(self, double: Started) -> None:
        double.control("PUT", "faults", {"call": "getHostBillversion", "delay": self.LONG})
        many = 100
        with ThreadPoolExecutor(many) as pool:
            late = [pool.submit(double.call, "getHostBillversion") for _ in range(many)]
            self.waiting(double, "getHostBillversion", many)
            assert double.call("listPromoBatches")["success"]
            double.control("POST", "reset")
            assert all(isinstance(each.exception(10), NO_ANSWER) for each in late)


def test_chance_is_asked_where_something_is_left_to_it() -> None:
    drawn = iter([0.2, 0.4])
    faults = Faults(lambda: next(drawn))
    asked = Asked(RPC, "getClients", "GET", "/admin/api.php", {})
    faults.put({"call": "getOrders", "probability": 0.3, "drop": True})
    faults.put({"probability": 0.3, "cut": True})
    faults.put({"error": "always"})
    assert [found.kind for found in (faults.of(asked), faults.of(asked)) if found] == [
        "cut",
        "error",
    ]
    faults.delete("GETORDERS")
    faults.delete()
    faults.put({"times": 1, "drop": True})
    assert faults.of(asked)
    assert faults.of(asked) is None


def test_no_line_is_written_of_a_fault(double: Started) -> None:
    said = double.folder / "said"
    before = said.read_text()
    for kind in ("drop", "lose_answer", "cut"):
        double.control("PUT", "faults", {"call": "listPromoBatches", kind: True, "times": 1})
        with pytest.raises((*NO_ANSWER, http.client.IncompleteRead)):
            double.call("listPromoBatches")
    assert said.read_text() == before
