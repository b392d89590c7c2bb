"""Answers byte for byte: golden/CALL/NAME.query is sent, NAME.json is what must come back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from hashlib import shake_256
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from flask import Flask
from flask.testing import FlaskClient

from calls import registry
from models.access import accesses
from models.access.accesses import Pair
from models.store import clock
from tests.credentials import QUERY

GOLDEN = Path(__file__).parent / "golden"
STORE = GOLDEN / "store"
QUERIES = sorted(GOLDEN.glob("*/*.query"))
JSON_TYPE = "application/json; charset=UTF-8"
FORM = "application/x-www-form-urlencoded"
BOUNDARY = "golden"
PLACES = re.compile("places_([0-4])")
"""How a file says how many decimals the currency has; else it has two."""


def in_the_query(asked: str, arguments: str) -> dict[str, Any]:
    """Send everything in the query string of a GET."""
    return {"query_string": f"{asked}&{arguments}"}


def in_a_form(asked: str, arguments: str) -> dict[str, Any]:
    """Send everything in an urlencoded body."""
    return {"method": "POST", "data": f"{asked}&{arguments}", "content_type": FORM}


def in_multipart(asked: str, arguments: str) -> dict[str, Any]:
    """Send the credentials and the call in the query string, the arguments in a multipart body.

    Werkzeug's client leaves out the line of an empty value, which PHP then takes for another.
    """
    fields = parse_qsl(arguments, keep_blank_values=True)
    head = 'Content-Disposition: form-data; name="'
    parts = [f'--{BOUNDARY}\r\n{head}{name}"\r\n\r\n{value}\r\n' for name, value in fields]
    content_type = f"multipart/form-data; boundary={BOUNDARY}"
    data = "".join([*parts, f"--{BOUNDARY}--\r\n"]).encode()
    return {"method": "POST", "query_string": asked, "data": data, "content_type": content_type}


def in_json(asked: str, arguments: str) -> dict[str, Any]:
    """Send everything as a JSON object, `name[]` and `name[key]` as objects inside it."""
    members: dict[str, Any] = {}
    for name, value in parse_qsl(f"{asked}&{arguments}", keep_blank_values=True):
        *path, last = name.replace("]", "").split("[")
        inside = members
        for key in path:
            inside = inside.setdefault(key, {})
        inside[last or str(len(inside))] = value
    body = json.dumps(members)  # not by Flask, which sorts the keys
    return {"method": "POST", "data": body, "content_type": "application/json"}


Way = Callable[[str, str], dict[str, Any]]
EVERY_CALL: tuple[Way, ...] = (in_the_query, in_a_form)
SOME_CALLS: tuple[Way, ...] = (in_multipart, in_json)
SOME = ("addPromoCode", "applyInvoiceCoupon", "listPromoCodes")
LISTS = ("getPromoBatchDetails", "listPromoBatches", "listPromoCodes", "listPromoUsage")


def asks_anew(query: Path) -> bool:
    """Tell whether a query is one of a list, or the first of its call.

    The others, and other ways of sending it, ask the store what tests/calls ask on every engine.
    """
    first = next(each for each in QUERIES if each.parent == query.parent)
    return query == first or query.parent.name in LISTS


CASES = [
    pytest.param(
        query,
        way,
        id=f"{query.parent.name}/{query.stem}-{way.__name__}",
        marks=() if way is in_the_query and asks_anew(query) else pytest.mark.any_store,
    )
    for query in QUERIES
    for way in (*EVERY_CALL, *(SOME_CALLS if query.parent.name in SOME else ()))
]


@pytest.fixture
def more_accesses(golden_client: FlaskClient) -> None:
    """Add accesses that may not do everything; a query names them by id and key."""
    accesses.add("may not list codes", Pair("narrow", "narrow-key"))
    accesses.deny("narrow", ["listPromoCodes"], list(registry()))
    accesses.add("of another network", Pair("elsewhere", "elsewhere-key"), "203.0.113.0/24")
    accesses.add("switched off", Pair("disabled", "disabled-key"))
    accesses.enable("disabled", enabled=False)


@pytest.fixture
def still_chance(more_accesses: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw the same bytes in every run, others each time; more of them begin as fewer do."""
    draws = map(str, count())
    monkeypatch.setattr(
        clock, "random_bytes", lambda size: shake_256(next(draws).encode()).digest(size)
    )


@pytest.mark.usefixtures("still_chance")
@pytest.mark.parametrize(("query", "way"), CASES)
def test_answers_are_the_golden_ones(
    query: Path, way: Way, app: Flask, golden_client: FlaskClient
) -> None:
    if found := PLACES.match(query.stem):
        settings = replace(app.config["SETTINGS"], amount_places=int(found[1]))
        app.config["SETTINGS"] = settings
    answers = []
    for arguments in query.read_text().removesuffix("\n").split("\n"):
        app.config["USAGE_LOG"].close()  # what came before is in the log that a call may list
        request = way(f"{QUERY}&call={query.parent.name}", arguments)
        answer = golden_client.open("/admin/api.php", **request)
        assert (answer.status_code, answer.content_type) == (200, JSON_TYPE)
        answers.append(answer.data)
    assert answers == query.with_suffix(".json").read_bytes().removesuffix(b"\n").split(b"\n")


def test_every_call_has_golden_answers_and_nothing_else_has() -> None:
    assert {query.parent.name for query in QUERIES} == set(registry())
    folders = {path.name for path in GOLDEN.iterdir() if path.is_dir()}
    assert folders == set(registry()) | {STORE.name}


def test_each_query_has_an_answer_and_each_answer_a_query() -> None:
    answers = {path.with_suffix(".query") for path in GOLDEN.glob("*/*.json")}
    assert set(QUERIES) == {path for path in answers if path.parent != STORE}
