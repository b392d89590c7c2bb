"""Reads in the shadow: the client gets the panel's answer, and ours is compared afterwards."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from datetime import UTC
from typing import Any

import pytest

from app.panel import shadow
from app.panel.shadow import Shadow
from models.panel import differences
from models.promotions import coupon_life, coupons
from models.promotions.terms import Terms
from models.store import clock
from models.store.base import database
from tests.panel.fronts import API, Front
from tests.waiting import wait_until

DETAILS, CODES, BATCHES = "getPromoDetailsByCode", "listPromoCodes", "listPromoBatches"
CODE = "SINGLE000"


@pytest.fixture
def shadowed(front: Front) -> Front:
    """Route the reads into the shadow; one code is known here."""
    front.take_over(CODE)
    front.route("shadow", DETAILS, CODES, BATCHES)
    return front


@pytest.fixture
def halted(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Let no answer of ours be made until the event is set."""
    go_on = threading.Event()
    make = shadow.ours

    def made(asked: Any) -> Any:
        assert go_on.wait(60)
        return make(asked)

    monkeypatch.setattr(shadow, "ours", made)
    yield go_on
    go_on.set()


def compared(name: str, count: int) -> tuple[int, int, int]:
    """Wait until so many answers were compared or dropped; return equal, compared and dropped."""

    def done() -> Any:
        row = differences.comparisons().get(name.lower())
        return row if row and row.compared + row.dropped >= count else None

    row = wait_until(done)
    return row.equal, row.compared, row.dropped


def test_the_client_gets_the_answer_of_the_panel(shadowed: Front) -> None:
    mine = shadowed.send(DETAILS, code=CODE)
    theirs = shadowed.panel.ask(DETAILS, {"code": CODE})
    assert mine.json | {"server_time": 0} == theirs.value | {"server_time": 0}
    assert mine.headers["Content-Type"] == theirs.headers["Content-Type"]
    assert len(shadowed.panel.journal(DETAILS)) == 1 + 1 + 1  # read over, through here, directly
    compared(DETAILS, 1)


def test_equal_answers_are_counted_and_propose_the_next_step(shadowed: Front) -> None:
    for _ in range(3):
        shadowed.ask(DETAILS.upper(), code=CODE)
    assert compared(DETAILS, 3) == (3, 3, 0)
    assert differences.listed() == []


def test_a_difference_is_kept_by_its_path(shadowed: Front) -> None:
    one = coupons.by_code(CODE)
    changed = {**one.terms.content(), "notes": "ours"}
    coupon_life.edit(one.id, clock.today(UTC), terms=lambda held: Terms.of(**changed))
    shadowed.ask(DETAILS, code=CODE)
    assert compared(DETAILS, 1) == (0, 1, 0)
    (found,) = differences.listed(DETAILS)
    assert (found.path, found.theirs, found.ours) == ("coupon.notes", '""', '"ours"')
    differences.ignore("coupon.notes")
    shadowed.ask(DETAILS, code=CODE)
    assert compared(DETAILS, 2) == (1, 2, 0)


def test_what_either_refuses_is_compared_too(shadowed: Front) -> None:
    shadowed.panel.execute("DELETE FROM coupon WHERE code = ?", CODE)
    refused = shadowed.ask(DETAILS, code=CODE)
    assert refused["success"] is False
    compared(DETAILS, 1)
    assert "success" in {each.path for each in differences.listed(DETAILS)}


def test_credentials_are_in_no_example(shadowed: Front) -> None:
    error = f"Denied for {shadowed.panel.api_id} {shadowed.panel.api_key}"
    with shadowed.panel.fault("fail", DETAILS, error=error):
        shadowed.ask(DETAILS, code=CODE)
    compared(DETAILS, 1)
    examples = " ".join(each.theirs + each.ours for each in differences.listed(DETAILS))
    assert "Denied for … …" in examples
    assert shadowed.panel.api_key not in examples


def test_our_answer_is_never_in_the_way(shadowed: Front, halted: threading.Event) -> None:
    """Answers come while not one of ours has been made."""
    for _ in range(6):
        assert shadowed.ask(DETAILS, code=CODE)["success"]
    assert differences.comparisons() == {}
    halted.set()
    assert compared(DETAILS, 6) == (6, 6, 0)


def test_what_waits_is_bounded(
    shadowed: Front, halted: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "MOST_WAITING", 2)
    for _ in range(6):
        assert shadowed.ask(DETAILS, code=CODE)["success"]
    halted.set()
    equal, done, dropped = compared(DETAILS, 6)
    # One more may have been taken out before it was halted.
    assert (equal, done + dropped) == (done, 6)
    assert done in (2, 3)


def test_large_answers_are_dropped_and_counted(
    shadowed: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow, "MOST_BYTES", 1000)
    assert shadowed.ask(BATCHES)["success"]
    assert compared(BATCHES, 1) == (0, 0, 1)


def test_a_page_is_no_answer_to_compare(shadowed: Front) -> None:
    with shadowed.panel.fault("html", DETAILS):
        assert b"<title>Staff login" in shadowed.send(DETAILS, code=CODE).get_data()
    assert compared(DETAILS, 1) == (0, 0, 1)


def test_a_client_that_takes_gzip_is_answered_plain(shadowed: Front) -> None:
    """What is packed could not be compared."""
    data = shadowed.panel.credentials | {"call": BATCHES}
    answer = shadowed.client.post(
        API, data=data, headers={"Accept-Encoding": "gzip"}, buffered=True
    )
    assert "Content-Encoding" not in answer.headers
    assert answer.json["success"]
    assert compared(BATCHES, 1)[1:] == (1, 0)


def test_what_comes_packed_all_the_same_is_dropped(shadowed: Front) -> None:
    app = shadowed.app
    with app.test_request_context():
        response = app.response_class(gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"})
    watcher: Shadow = app.config["SHADOW"]
    with app.app_context():
        asked: Any = type("Asked", (), {"call": type("Call", (), {"name": CODES})})()
        watcher.watch(response, asked)
    response.close()
    assert compared(CODES, 1) == (0, 0, 1)


def test_an_answer_that_breaks_off_is_not_compared(shadowed: Front) -> None:
    with shadowed.panel.fault("cut", DETAILS):
        assert shadowed.send(DETAILS, code=CODE).status_code == 503
    shadowed.ask(DETAILS, code=CODE)
    assert compared(DETAILS, 1) == (1, 1, 0)


def test_wrong_arguments_are_compared_as_refusals(shadowed: Front) -> None:
    assert shadowed.ask(CODES, page="-1")["success"] is False
    compared(CODES, 1)
    assert {each.path for each in differences.listed(CODES)} <= {"error[]"}


def test_comparisons_go_on_after_one_that_failed(
    shadowed: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, failed = shadow.ours, threading.Event()

    def made(asked: Any) -> Any:
        if not failed.is_set():
            failed.set()
            raise RuntimeError
        return make(asked)

    monkeypatch.setattr(shadow, "ours", made)
    shadowed.ask(DETAILS, code=CODE)
    assert failed.wait(60)
    shadowed.ask(DETAILS, code=CODE)
    assert compared(DETAILS, 1)[0] >= 1
    database.close()
