"""Collections of both APIs: in Postman's format, and run by newman against a server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import calls
from app.reference import postman, rest
from tests import node
from tests.app.reference.conftest import Host
from tests.credentials import PAIR
from tests.serving import environment

HERE = Path(__file__).parent
FACES = ("rpc", "rest")
PER_FACE = {"rpc": len(calls.registry()), "rest": len(rest.operations())}


def printed(face: str, folder: Path, *options: str) -> dict[str, Any]:
    """Return the collection that the command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "collection", face, *options],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.parametrize("face", FACES)
def test_a_collection_has_postman_s_format_and_every_operation(face: str, tmp_path: Path) -> None:
    collection = printed(face, tmp_path, "--url", "https://promo.example/")
    schema = json.loads((HERE / "collection.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(collection)
    assert sum(len(folder["item"]) for folder in collection["item"]) == PER_FACE[face]
    variables = {each["key"]: each["value"] for each in collection["variable"]}
    assert variables.pop("base_url") == "https://promo.example"
    assert set(variables.values()) == {""}


def test_newman_runs_both_collections(host: Host, tmp_path: Path) -> None:
    newman = node.installed(HERE / "node", tmp_path / "node") / "newman" / "bin" / "newman.js"
    credentials = {**PAIR.__dict__, "api_secret": host.secret}
    given = [part for each in credentials.items() for part in ("--env-var", "=".join(each))]
    for face, collection in (
        ("rpc", postman.legacy_collection(host.url, "/admin")),
        ("rest", postman.rest_collection(host.url)),
    ):
        source, report = tmp_path / f"{face}.json", tmp_path / f"{face}.report.json"
        source.write_text(json.dumps(collection))
        exported = ("--reporters", "json", "--reporter-json-export", report)
        node.node(newman, "run", source, *given, *exported, folder=tmp_path)
        run = json.loads(report.read_text())["run"]
        assert run["stats"]["assertions"] == {"total": PER_FACE[face], "pending": 0, "failed": 0}
        statuses = {each["item"]["name"]: each["response"]["code"] for each in run["executions"]}
        assert len(statuses) == PER_FACE[face]
        if face == "rest":
            assert statuses["POST /v1/campaigns/codes/generate"] == 200
            assert 401 not in statuses.values()
        else:
            assert set(statuses.values()) == {200}
            answers = {
                each["item"]["name"]: json.loads(bytes(each["response"]["stream"]["data"]))
                for each in run["executions"]
            }
            used = answers["redeemPromoCode"]
            assert used["redemption"]["code"] == "SUMMER15"
            refused = {name for name, each in answers.items() if not each["success"]}
            assert not refused & {"addPromoBatch", "listPromoCodes", "validatePromoCode"}
