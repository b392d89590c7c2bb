"""Replies: made once, kept for a day, in one transaction with what they answer."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from app.config import Settings
from models.promotions import coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.store import clock, counters, idempotency
from models.store.base import change, database
from models.store.errors import Conflict
from models.store.idempotency import KEPT_SECONDS, PRUNED, KeptReply, KeyReused, Reply

ROOT = Path(__file__).parents[3]
KILLED = 9
NOON = 1_700_000_000

pytestmark = pytest.mark.usefixtures("store")


class Maker:
    """Make replies that say which one they are."""

    def __init__(self, refusal: str = "") -> None:
        self.made = 0
        self.refusal = refusal

    def __call__(self) -> Reply:
        self.made += 1
        return Reply(b"reply \0\xff %d" % self.made, self.refusal)


@pytest.mark.parametrize("refusal", ["", "code_expired"])
def test_a_reply_is_made_once_and_given_again(refusal: str) -> None:
    make = Maker(refusal)
    first = idempotency.once("redeem a1", "key", "digest", make)
    assert idempotency.once("redeem a1", "key", "digest", make) == replace(first, replayed=True)
    assert first == Reply(b"reply \0\xff 1", refusal)
    assert make.made == 1


def test_other_arguments_are_refused_and_nothing_is_made() -> None:
    make = Maker()
    idempotency.once("redeem a1", "key", "digest", make)
    with pytest.raises(KeyReused):
        idempotency.once("redeem a1", "key", "another", make)
    assert make.made == 1


def test_scopes_and_keys_are_told_apart() -> None:
    make = Maker()
    places = [
        ("redeem a1", "key"),
        ("redeem a2", "key"),
        ("redeem a1", "KEY"),
        ("redeem a1", "kéy"),
    ]
    bodies = [idempotency.once(scope, key, "digest", make).body for scope, key in places]
    assert len(set(bodies)) == len(places)


def test_the_text_of_the_key_is_not_kept() -> None:
    idempotency.once("redeem a1", "mail@example.com", "digest", Maker())
    assert "example" not in str(list(KeptReply.select().dicts()))


def test_a_reply_is_kept_for_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    make = Maker()
    monkeypatch.setattr(clock, "now", lambda: NOON)
    first = idempotency.once("redeem a1", "key", "digest", make)
    monkeypatch.setattr(clock, "now", lambda: NOON + KEPT_SECONDS - 1)
    assert idempotency.once("redeem a1", "key", "digest", make) == replace(first, replayed=True)
    monkeypatch.setattr(clock, "now", lambda: NOON + KEPT_SECONDS)
    assert idempotency.once("redeem a1", "key", "another", make) != first
    assert KeptReply.select().count() == 1


def test_old_replies_are_deleted_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOON)
    for number in range(PRUNED + 5):
        idempotency.once("redeem a1", f"old {number}", "digest", Maker())
    monkeypatch.setattr(clock, "now", lambda: NOON + KEPT_SECONDS)
    idempotency.once("redeem a1", "new", "digest", Maker())
    assert KeptReply.select().count() == 6
    idempotency.once("redeem a1", "newer", "digest", Maker())
    assert KeptReply.select().count() == 2


def test_what_fails_leaves_neither_change_nor_reply() -> None:
    def fail() -> Reply:
        coupons.add("SPRING", Terms.of())
        raise Conflict("no")

    with pytest.raises(Conflict):
        idempotency.once("add a1", "key", "digest", fail)
    assert (KeptReply.select().count(), Coupon.select().count()) == (0, 0)
    assert counters.count(counters.COUPONS) == 0
    assert idempotency.once("add a1", "key", "other", Maker()).body


def test_a_change_may_fail_and_go_on_inside() -> None:
    coupons.add("SPRING", Terms.of())

    def make() -> Reply:
        for code in ("SPRING", "SUMMER"):
            try:
                with change():
                    coupons.add(code, Terms.of())
            except Conflict:
                continue
        return Reply(b"made")

    idempotency.once("add a1", "key", "digest", make)
    assert [coupon.code for coupon in Coupon.select().order_by(Coupon.id)] == ["SPRING", "SUMMER"]
    assert counters.count(counters.COUPONS) == 2


def test_a_second_request_waits_for_the_reply_of_the_first() -> None:
    makes_it, asks_too = threading.Event(), threading.Event()
    made = []

    def make() -> Reply:
        makes_it.set()
        assert asks_too.wait(10)
        made.append(1)
        return Reply(b"reply %d" % len(made))

    def first() -> bytes:
        with database.connection_context():
            return idempotency.once("redeem a1", "key", "digest", make).body

    def second() -> bytes:
        assert makes_it.wait(10)
        with database.connection_context():
            asks_too.set()
            return idempotency.once("redeem a1", "key", "digest", make).body

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(first)] + [pool.submit(second) for _ in range(7)]
        assert {future.result(30) for future in asked} == {b"reply 1"}
    assert len(made) == 1


def test_a_kill_in_the_middle_loses_both_change_and_reply(store: Settings) -> None:
    script = f"""
import os
from app import db
from app.config import Settings
from models.promotions import coupons
from models.store import idempotency
from models.promotions.terms import Terms

def make():
    coupons.add("SPRING", Terms.of())
    os._exit({KILLED})

with db.bind(Settings(database_url={store.database_url!r})).connection_context():
    idempotency.once("add a1", "key", "digest", make)
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=60, check=False)
    assert ended.returncode == KILLED
    assert (KeptReply.select().count(), Coupon.select().count()) == (0, 0)

    def make() -> Reply:
        return Reply(coupons.add("SPRING", Terms.of()).code.encode())

    assert idempotency.once("add a1", "key", "digest", make).body == b"SPRING"
