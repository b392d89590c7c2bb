"""The reference describes all that there is, in words, and each example is run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import calls
from app.reference import legacy, rest, snippets
from app.reference.described import API_ID, API_KEY, API_SECRET, Operation
from tests.app.reference.conftest import Host
from tests.credentials import PAIR
from tests.programs import program

TIMEOUT = 60
LEGACY = {each.title: each for each in legacy.operations()}
REST = {each.id: each for each in rest.operations()}
READ = ["curl", "PHP", "Python"]


def test_each_call_and_endpoint_is_described_with_each_argument() -> None:
    assert set(LEGACY) == set(calls.registry())
    for call in calls.registry().values():
        described = {each.name.removesuffix("[]") for each in LEGACY[call.name].arguments}
        declared = {field.data_key or name for name, field in call.params().fields.items()}
        assert declared <= described, call.name
        assert ("idempotency_key" in described) is call.writes
    for operation in (*LEGACY.values(), *REST.values()):
        assert operation.summary.endswith("."), operation.title
        for argument in operation.arguments:
            assert argument.takes, (operation.title, argument)
            assert argument.description or operation.id in REST, (operation.title, argument)


def test_what_is_required_and_taken_is_said() -> None:
    made = {each.name: each for each in LEGACY["addPromoBatch"].arguments}
    assert [name for name, each in made.items() if each.required] == [
        *("name", "size", "coupon_type", "value", "type")
    ]
    assert made["size"].takes == "a whole number from 1 to 10,000"
    assert made["products[]"].takes == "a list of ids"
    edited = {each.name: each for each in LEGACY["editPromoBatch"].arguments}
    assert [name for name, each in edited.items() if each.required] == ["id"]
    generated = {each.name: each for each in REST["codes_generate"].arguments}
    assert generated["batchSize"].required
    assert generated["batchSize"].takes == "a whole number from 1 to 10,000"
    assert generated["Idempotency-Key"].place == "header"


def test_each_example_in_python_and_php_can_be_parsed(tmp_path: Path) -> None:
    whole = [legacy.request(each, "http://x/admin/api.php") for each in LEGACY.values()]
    whole += [rest.request(each, "http://x") for each in REST.values()]
    scripts = []
    for number, request in enumerate(whole):
        compile(snippets.python(request), "example", "exec")
        script = tmp_path / f"{number}.php"
        script.write_text(snippets.php(request))
        scripts.append(f"php -l {script}")
    program("php")
    checks = " && ".join(scripts)
    done = subprocess.run(["sh", "-c", checks], capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("language", READ)
def test_examples_run_as_they_are_shown(host: Host, tmp_path: Path, language: str) -> None:
    def run(operation: Operation) -> dict[str, Any]:
        return json.loads(ran(language, operation, host, tmp_path))

    versions = run(LEGACY["getHostBillversion"])
    assert versions["success"] is True
    quoted = run(LEGACY["validatePromoCode"])
    assert (quoted["valid"], quoted["total_discount"]) == (True, "2.00")
    # In one language after another: the same order is one use.
    assert "redeemed" in run(LEGACY["redeemPromoCode"])["info"][0]
    made = run(LEGACY["addPromoBatch"])
    assert made["coupons_count"] == 10
    generated = run(REST["codes_generate"])
    assert generated["status"] == "success"
    listed = run(REST["codes_list_codes"])
    assert listed["status"] == "success"
    assert run(REST["openapi_show"])["openapi"] == "3.1.0"


def ran(language: str, operation: Operation, host: Host, folder: Path) -> str:
    """Return what an example prints once its credentials are put in."""
    if operation.id in REST:
        request = rest.request(operation, host.url)
    else:
        request = legacy.request(operation, host.endpoint)
    text = snippets.all_of(request)[language]
    for placeholder, value in (
        (API_ID, PAIR.api_id),
        (API_KEY, PAIR.api_key),
        (API_SECRET, host.secret),
    ):
        text = text.replace(placeholder, value)
    if language == "curl":
        program("curl")
        command = ["sh", "-c", text]
    else:
        script = folder / "example"
        script.write_text(text)
        command = [program("php") if language == "PHP" else sys.executable, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    assert (done.returncode, done.stderr) == (0, ""), text
    return done.stdout
