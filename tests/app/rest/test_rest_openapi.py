"""The OpenAPI document: valid, whole, and true of a running server."""

from __future__ import annotations

import subprocess
import sys
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
from tests.app.rest.conftest import SLUG, TEST, Caller
from tests.serving import served

EXAMPLES = 5
RUN_SECONDS = 180
METHODS = {"DELETE", "GET", "POST"}


@pytest.fixture
def document(client: FlaskClient) -> Any:
    return client.get("/v1/openapi.json").get_json()


def test_it_is_valid(document: Any) -> None:
    validate(document)
    assert document["openapi"] == "3.1.0"


def test_every_route_is_in_it(document: Any, app: Flask) -> None:
    known = {
        (method, rule.rule)
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
