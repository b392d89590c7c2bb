"""The OpenAPI document: valid, whole, and true of a running server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import validate

from app.config import Settings
from models.access import secrets
from models.campaigns import campaigns
from models.store import clock
from tests.app.rest.conftest import SLUG, TEST, Caller
from tests.serving import served

EXAMPLES = 5
RUN_SECONDS = 180
METHODS = {"DELETE", "GET", "POST"}


@pytest.fixture
def document(client: FlaskClient) -> Any:
    return client.get("/v1/openapi.json").get_json()


def parts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield all objects in a JSON value."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from parts(inner)


def test_it_is_valid(document: Any) -> None:
    validate(document)
    assert document["openapi"] == "3.1.0"


def test_every_route_is_in_it(document: Any, app: Flask) -> None:
    known = {
        (method, rule.rule.replace("<path:", "<"))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/v1/")
        for method in METHODS & set(rule.methods or ())
    }
    described = {
        (method.upper(), "/v1" + path.replace("{", "<").replace("}", ">"))
        for path, operations in document["paths"].items()
        for method in operations
    }
    assert described == known


def test_every_operation_has_an_example_and_its_refusals(document: Any) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            assert operation["summary"].endswith("."), path
            if method == "post":
                assert (
                    operation["requestBody"]["content"]["application/json"]["example"] is not None
                )
                assert {"400", "401", "403", "413", "415", "429", "503"} <= set(answers), path


def test_the_examples_of_bodies_are_taken(document: Any, live: Caller) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method != "post":
                continue
            example = operation["requestBody"]["content"]["application/json"]["example"]
            answer = live.post(path.replace("{slug}", SLUG).replace("{redemptionId}", "x"), example)
            assert answer.status_code in (200, 202, 404, 409), (path, answer.data)


def test_a_body_is_required_where_an_empty_one_is_refused(document: Any, live: Caller) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method == "post":
                answer = live.post(path.replace("{slug}", SLUG).replace("{redemptionId}", "x"), {})
                required = operation["requestBody"]["required"]
                assert required is (answer.status_code == 400), path


def test_generators_can_read_it(document: Any) -> None:
    for part in parts(document):
        assert part.get("default", 0) is not None, part
        for kind in ("oneOf", "anyOf"):  # each of them must be a type by itself
            for choice in part.get(kind, ()):
                assert {"type", "$ref"} & set(choice), part
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        if name.endswith("Request"):  # with a default a TypeScript client has to give the field
            assert not [part for part in parts(schema) if "default" in part], name
    # An answer may have more members than it names.
    answers = [schema for name, schema in schemas.items() if name.endswith("Response")]
    answers.append(document["components"]["responses"])
    answers += [each["responses"] for path in document["paths"].values() for each in path.values()]
    for part in parts(answers):
        assert part.get("additionalProperties") is not False, part


def test_the_refusals_of_changes_are_described(
    document: Any, live: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = {"expiresAt": "2030-01-01T00:00:00Z"}
    used, withdrawn, over = live.generate(3, **ending)
    (open_code,) = live.generate()
    live.redeem(used)
    live.data("/campaigns/codes/revoke", {"code": withdrawn})
    late = int(datetime(2030, 1, 1, tzinfo=UTC).timestamp())
    monkeypatch.setattr(clock, "now", lambda: late)
    for path, codes in (
        ("/campaigns/{slug}/redeem", (used, withdrawn, over)),
        ("/campaigns/codes/reactivate", (used, open_code, over)),
        ("/campaigns/codes/revoke", (used, withdrawn)),
    ):
        described = document["paths"][path]["post"]["responses"]["409"]["description"].split("; ")
        seen = set()
        for code in codes:
            user = {"userId": "user-2"} if path.endswith("redeem") else {}
            answer = live.post(path.replace("{slug}", SLUG), {"code": code} | user)
            assert answer.status_code == 409, (path, code)
            seen.add(answer.get_json()["message"])
        assert seen == {text for text in described if text.startswith("Code status")}, path


def test_a_running_server_answers_as_described(store: Settings, tmp_path: Path) -> None:
    campaigns.add(TEST, SLUG, "Summer Promo 2025")
    _, secret = secrets.add(TEST)
    settings = {
        "PROMOBRIDGE_WRONG_CREDENTIALS_PER_MINUTE": "1000000",
        "PROMOBRIDGE_WRONG_CODES_PER_MINUTE": "1000000",
        "PROMOBRIDGE_JOB_WORKERS": "0",  # nobody waits for the millions of codes that are asked for
    }
    with served(tmp_path, **settings) as server:
        parts = urlsplit(server.endpoint)
        run = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run"),
                f"{parts.scheme}://{parts.netloc}/v1/openapi.json",
                *("--header", f"X-API-Secret: {secret}"),
                *("--phases", "examples,coverage,fuzzing"),
                *("--max-examples", str(EXAMPLES), "--seed", "1", "--no-color"),
                # No schema can say that a time has passed or that a key came before.
                *("--exclude-checks", "positive_data_acceptance"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
        )
        assert run.returncode == 0, run.stdout[-10_000:]
        assert "Traceback" not in server.log()
        assert "failed" not in server.log()
