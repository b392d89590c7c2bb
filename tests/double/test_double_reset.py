"""Reset and restore: nothing that the process remembers outlives them, also amid requests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from app.double.state import Gate
from tests.double.conftest import Started, started
from tests.waiting import wait_until

TERMS = {"coupon_type": "cart", "type": "percent", "value": "5"}
SEED = {"calls": [{"call": "addPromoCode", "code": f"S{n}", **TERMS} for n in range(20)]}
LAST = "2030-06-30"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    """Start a double that locks out soon."""
    few = {"PROMOBRIDGE_WRONG_CODES_PER_MINUTE": "3", "PROMOBRIDGE_LOCKOUT_SECONDS": "3600"}
    with started(tmp_path_factory.mktemp("double"), **few) as found:
        yield found


@pytest.fixture(params=["reset", "restore"])
def go_back(request: pytest.FixtureRequest, double: Started) -> Any:
    """Return what goes back to the state of now."""
    if request.param == "reset":
        return lambda: double.control("POST", "reset")
    kept = double.control("POST", "snapshot")
    return lambda: double.control("POST", "restore", kept)


def test_the_day_up_to_which_codes_have_expired(double: Started, go_back: Any) -> None:
    def is_live_after_its_last_day() -> tuple[bool, bool]:
        double.control("PUT", "clock", {"frozen": f"{LAST}T12:00:00Z"})
        double.call("addPromoCode", code="SUMMER", **TERMS, expires=LAST)
        before = double.call("getPromoDetailsByCode", code="SUMMER")["coupon"]["active"]
        double.control("PUT", "clock", {"advance": 86_400})
        double.call("listPromoCodes")
        after = double.call("getPromoDetailsByCode", code="SUMMER")["coupon"]["active"]
        return before == "1", after == "1"

    assert is_live_after_its_last_day() == (True, False)
    go_back()
    assert is_live_after_its_last_day() == (True, False)


def test_the_usage_log(double: Started, go_back: Any) -> None:
    begun = calls(double)
    go_back()
    double.call("getHostBillversion")  # which waits in memory still
    go_back()
    assert calls(double) == begun
    assert calls(double) == [*begun, "listAPIUsage"]


def calls(double: Started) -> list[str]:
    """Return the names of the calls in the usage log, the oldest first."""
    lines = double.call("listAPIUsage", perpage="100")["usage"]
    return [line["call"] for line in reversed(lines)]


@pytest.mark.parametrize("face", ["legacy", "rest"])
def test_lockouts_of_those_who_guess_codes(double: Started, go_back: Any, face: str) -> None:
    def guess() -> int:
        if face == "legacy":
            return double.called("redeemPromoCode", code="NONE", client_id="9").status
        body = {"code": "NONE-NONE-NONE", "userId": "9"}
        return double.rest("POST", "/campaigns/summer-promo/redeem", body).status

    assert guess() != 429
    wait_until(lambda: guess() == 429)
    go_back()
    assert guess() != 429


def test_lockouts_end_with_a_new_time(double: Started) -> None:
    for _ in range(31):
        double.call("listPromoBatches", api_key="wrong")
    assert double.called("listPromoBatches").status == 429
    double.control("PUT", "clock", {"advance": 1})
    assert double.called("listPromoBatches").status == 200


@pytest.mark.parametrize(("hours", "again"), [(23, True), (25, False)])
def test_kept_answers_follow_the_clock(double: Started, hours: int, again: bool) -> None:
    double.control("PUT", "clock", {"frozen": "2030-01-01T00:00:00Z"})

    def made() -> Any:
        return double.call("addPromoBatch", name="B", size="1", **TERMS, idempotency_key="k")

    first = made()
    double.control("PUT", "clock", {"advance": hours * 3600})
    assert (made() == first) == again


def test_requests_side_by_side_with_seeds_and_resets(double: Started) -> None:
    statuses: list[int] = []
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            try:
                statuses.append(double.called("addPromoCode", code="ANY", **TERMS).status)
            except OSError:
                statuses.append(0)
                return

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(8):
            double.control("POST", "seed", SEED)
            double.control("POST", "reset")
    finally:
        is_over.set()
        for thread in threads:
            thread.join(30)
    assert statuses
    assert set(statuses) == {200}
    double.control("POST", "reset")
    assert len(double.call("listPromoCodes", perpage="100")["coupons"]) == 20


def test_who_waits_to_be_alone_is_not_overtaken() -> None:
    gate, order = Gate(), []

    def reset() -> None:
        with gate.alone():
            order.append("reset")

    def ask() -> None:
        with gate.request():
            order.append("request")

    threads = []
    with gate.request():
        for work in (reset, ask):
            threads.append(threading.Thread(target=work))
            threads[-1].start()
            wait_until(gate._entry.locked)
        assert order == []
    for thread in threads:
        thread.join(30)
    assert order == ["reset", "request"]
