"""A list is counted before its members are looked at, and answers do not grow with it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from flask.testing import FlaskClient
from marshmallow import Schema, ValidationError

from app.rest.fields import PatternString
from app.rest.parsing import MEMBERS_MOST, MESSAGES_MOST
from app.rest.requests import ImportRequest
from calls import MOST_PROBLEMS, WrongParameters, php
from calls.php.input_fields import MAX_ITEMS
from models.access import secrets
from models.campaigns import campaigns
from models.campaigns.campaign_making import GENERATED_MOST
from models.promotions.campaign_counts import Owner

SLUG = "summer-promo"
BATCH = {"slug": SLUG, "pointsValue": 1}


def steps(deed: Callable[[], object]) -> int:
    """Return how many functions a deed enters."""
    count = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        deed()
    finally:
        sys.setprofile(None)
    return count


def refuse(schema: Schema, value: Any) -> int:
    def deed() -> None:
        with pytest.raises(ValidationError):
            schema.load(value)

    deed()
    return steps(deed)


@pytest.fixture
def post(client: FlaskClient) -> Callable[[str, bytes | str], Any]:
    """Return what posts a body with a secret that is right."""
    headers = {"X-API-Secret": secrets.add(Owner())[1], "Content-Type": "application/json"}
    campaigns.add(Owner(), SLUG, "Summer")

    def send(path: str, body: bytes | str) -> Any:
        return client.post(f"/v1/campaigns/codes/{path}", data=body, headers=headers)

    return send


def test_too_many_codes_are_refused_without_a_look_at_one() -> None:
    request = ImportRequest()
    few, many = (
        refuse(request, BATCH | {"codes": [1] * size}) for size in (GENERATED_MOST + 1, 200_000)
    )
    assert few == many


def test_too_many_values_of_an_argument_are_refused_without_a_look_at_one() -> None:
    schema = Schema.from_dict({"ids": php.Ids()})()
    few, many = (
        refuse(schema, {"ids": dict.fromkeys(range(size), "1")}) for size in (MAX_ITEMS + 1, 50_000)
    )
    assert few == many


def test_a_long_text_is_refused_before_its_characters_are_looked_at() -> None:
    schema = Schema.from_dict({"a": PatternString(10)})()
    with pytest.raises(ValidationError) as refusal:
        schema.load({"a": "\0" * 11})
    assert refusal.value.normalized_messages() == {"a": ["Length must be between 1 and 10."]}


def test_an_object_is_no_list_of_codes(post: Any) -> None:
    answer = post("import", '{"slug":"summer-promo","pointsValue":1,"codes":{"WELCOME-1":1}}')
    assert (answer.status_code, list(answer.json["errors"])) == (400, ["codes"])


def test_a_list_that_fills_a_body_is_refused_before_it_is_parsed(post: Any) -> None:
    body = b'{"slug":"summer-promo","pointsValue":1,"codes":[%b1]}'
    answer = post("import", body % (b"1," * 500_000))
    assert (answer.status_code, answer.json["message"]) == (400, "Invalid request body")
    assert answer.json["errors"] == {"body": [f"There are more than {MEMBERS_MOST} members."]}


def test_a_full_list_of_wrong_codes_gets_a_hundred_messages(post: Any) -> None:
    codes = ",".join(["1"] * GENERATED_MOST)
    answer = post("import", f'{{"slug":"summer-promo","pointsValue":1,"codes":[{codes}]}}')
    errors = answer.json["errors"]
    assert answer.status_code == 400
    assert len(errors) == MESSAGES_MOST + 1
    assert errors["codes.99"] == ["Not a valid string."]
    assert errors["body"] == [f"And {GENERATED_MOST - MESSAGES_MOST} more."]


def test_an_import_still_says_of_each_line_why_it_clashes(post: Any) -> None:
    codes = ",".join(f'"WELCOME-{number}"' for number in range(MESSAGES_MOST + 50))
    body = f'{{"slug":"summer-promo","pointsValue":1,"codes":[{codes}]}}'
    assert post("import", body).status_code == 200
    again = post("import", body)
    assert (again.status_code, len(again.json["errors"])) == (409, MESSAGES_MOST + 50)


def test_wrong_arguments_by_the_thousand_get_a_hundred_sentences() -> None:
    wrong = WrongParameters.of({f"a{number}": ["is unknown"] for number in range(1000)})
    assert len(wrong.problems) == MOST_PROBLEMS + 1
    assert wrong.problems[-1] == f"Wrong parameter: and {1000 - MOST_PROBLEMS} more"


@pytest.mark.parametrize("name", ["a" * 256, "\u00e9" * 256, "a" * 100_000])
def test_long_names_for_v1_are_refused_and_not_repeated(
    client: FlaskClient, post: Any, name: str
) -> None:
    secret = {"X-API-Secret": secrets.add(Owner())[1]}
    for body in (f'{{"{name}":1}}', f'{{"a":[{{"{name}":1}}]}}'):
        answer = post("verify", body)
        assert answer.status_code == 400
        assert answer.json["errors"] == {"body": ["A name has more than 255 characters."]}
    answer = client.get("/v1/campaigns/codes/stats", query_string={name: "1"}, headers=secret)
    assert answer.status_code == 400
    assert answer.json["errors"] == {"body": ["A name has more than 255 characters."]}


@pytest.mark.parametrize("kind", ["query", "form", "multipart", "json"])
def test_long_names_of_arguments_are_refused_by_two_words(client: FlaskClient, kind: str) -> None:
    for name, expected in (("a" * 255, "Wrong API ID or API Key"), ("a" * 256, "Wrong parameter")):
        sent: dict[str, Any] = {
            "query": {"query_string": {name: "1"}},
            "form": {"data": {name: "1"}},
            "multipart": {"data": {name: "1"}, "content_type": "multipart/form-data"},
            "json": {"json": {name: "1"}},
        }[kind]
        assert client.post("/api.php", **sent).json["error"] == [expected]


def test_arguments_are_typed_only_after_access_is_proven(client: FlaskClient) -> None:
    """Nothing of the arguments is looked at for one who has no access, right or wrong."""
    entered: set[str] = set()

    def note(frame: FrameType, event: str, argument: object) -> None:
        entered.add(frame.f_code.co_filename.rpartition("/calls/")[2])

    form = {
        "api_id": "1122334455667788990a",
        "call": "addPromoCode",
        "products[]": "x",
        "page": "y",
    }
    sys.setprofile(note)
    try:
        answer = client.post("/api.php", data=form)
    finally:
        sys.setprofile(None)
    assert answer.json["error"] == ["Wrong API ID or API Key"]
    assert "php/arguments.py" in entered
    assert not entered & {"php/input_fields.py", "add_promo_code.py", "wire/editing.py"}
