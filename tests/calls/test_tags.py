"""Tags of lists: they differ whenever the answers do, and asking for them renders nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import calls
from app.config import Settings
from calls import Answer, Caller, php
from calls.rendering.fragments import Fragments
from models.promotions import batch_life
from models.promotions.terms import Terms
from models.store.base import database
from tests.models.promotions.test_life_at_random import Life

PAGES: list[tuple[str, dict[str | int, Any]]] = [
    ("listPromoBatches", {}),
    ("listPromoBatches", {"perpage": "2"}),
    ("listPromoBatches", {"perpage": "2", "page": "1"}),
    ("listPromoCodes", {}),
    ("listPromoCodes", {"include_batch": "1"}),
    ("listPromoCodes", {"include_batch": "1", "perpage": "3", "page": "1"}),
]
STEPS = 60

pytestmark = pytest.mark.usefixtures("still_time")


def asked(settings: Settings, name: str, arguments: dict[str | int, Any]) -> Answer:
    caller = Caller(None, settings, Fragments(0))
    return calls.run(calls.registry()[name], arguments, caller)


def body(answer: Answer) -> bytes:
    return php.encode({**answer.payload, "sorter": answer.sorter})


@pytest.mark.parametrize("seed", range(3))
def test_one_tag_never_stands_for_two_answers(store: Settings, seed: int) -> None:
    life = Life(seed)
    bodies: dict[tuple[str, str | None], bytes] = {}
    for _ in range(STEPS):
        life.step()
        for name, arguments in PAGES:
            answer = asked(store, name, arguments)
            assert answer.tag
            said = body(answer)
            assert bodies.setdefault((name, answer.tag), said) == said
    assert len(bodies) > STEPS / 2


def test_an_answer_that_is_the_same_has_the_same_tag(store: Settings) -> None:
    batch_life.make("Batch", Terms.of(), 3)
    for name, arguments in PAGES:
        one, other = (asked(store, name, arguments) for _ in range(2))
        assert (one.tag, body(one)) == (other.tag, body(other))


def test_another_time_zone_is_another_tag(store: Settings) -> None:
    batch_life.make("Batch", Terms.of(), 3)
    elsewhere = replace(store, timezone="Asia/Tokyo")
    one, other = (asked(each, "listPromoBatches", {}) for each in (store, elsewhere))
    assert body(one) != body(other)
    assert one.tag != other.tag


def test_a_tag_renders_nothing(store: Settings) -> None:
    batch_life.make("Batch", Terms.of(), 3)
    statements: list[str] = []

    def note(sql: str, parameters: Any = None, execute: Any = database.obj.execute_sql) -> Any:
        statements.append(sql.replace("`", '"'))
        return execute(sql, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database.obj, "execute_sql", note)
        answer = asked(store, "listPromoBatches", {})
        assert not any('"coupon"' in sql for sql in statements)
        assert any('"batch"' in sql for sql in statements)
        body(answer)
        assert any('"coupon"' in sql for sql in statements)
