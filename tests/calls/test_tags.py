"""Tags of lists: they differ whenever the answers do, and spare the rendering of a held answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

import calls
from app.config import Settings
from calls import Answer, Caller, php
from calls.rendering import batch_json
from calls.rendering.batch_json import FragmentCache
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


def asked(settings: Settings, name: str, arguments: dict[str | int, Any], **options: Any) -> Answer:
    caller = Caller(None, settings, FragmentCache(0), **options)
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


@pytest.mark.parametrize("change", [{"timezone": "Asia/Tokyo"}, {"amount_places": 3}])
def test_a_setting_that_changes_an_answer_changes_its_tag(
    store: Settings, change: dict[str, Any]
) -> None:
    batch_life.make("Batch", Terms.of(), 3)
    elsewhere = replace(store, **change)
    one, other = (asked(each, "listPromoBatches", {}) for each in (store, elsewhere))
    assert body(one) != body(other)
    assert one.tag != other.tag


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the statements that are run from now on."""
    noted: list[str] = []

    def note(sql: str, parameters: Any = None, execute: Any = database.obj.execute_sql) -> Any:
        noted.append(sql.replace("`", '"'))
        return execute(sql, parameters)

    monkeypatch.setattr(database.obj, "execute_sql", note)
    return noted


def test_an_answer_that_the_client_holds_is_not_rendered(
    store: Settings, statements: list[str]
) -> None:
    batch_life.make("Batch", Terms.of(), 3)
    tag = asked(store, "listPromoBatches", {}).tag
    statements.clear()
    answer = asked(store, "listPromoBatches", {}, holds=lambda each: each == tag)
    assert (answer.tag, answer.unchanged, answer.payload) == (tag, True, {})
    assert any('"batch"' in sql for sql in statements)
    assert not any('"coupon"' in sql for sql in statements)


def test_an_answer_is_complete_when_the_call_is_over(
    store: Settings, statements: list[str]
) -> None:
    batch = batch_life.make("Batch", Terms.of(), 3)
    for name, arguments in [*PAGES, ("getPromoBatchDetails", {"id": str(batch.id)})]:
        answer = asked(store, name, arguments)
        assert statements
        statements.clear()
        assert body(answer)
        assert not statements


def test_a_page_of_very_many_coupons_is_rendered_as_it_is_written(
    store: Settings, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for size in (7, 1, 2):
        batch_life.make("Batch", Terms.of(), size)
    whole = body(asked(store, "listPromoBatches", {}))
    for name, count in (("MANY_COUPONS", 5), ("GROUP_COUPONS", 2)):
        monkeypatch.setattr(batch_json, name, count)
    statements.clear()
    answer = asked(store, "listPromoBatches", {})
    assert not any('"coupon"' in sql for sql in statements)
    assert body(answer) == whole
    assert len([sql for sql in statements if '"coupon"' in sql]) > 3
