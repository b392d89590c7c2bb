"""Clients that generators make of the OpenAPI document: whole, and running against a server."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient

from app.config import Settings
from models.access import secrets
from models.campaigns import campaigns
from tests import node
from tests.app.rest.conftest import LIVE, SLUG
from tests.serving import served

NODE_FOLDER = Path(__file__).parent / "typescript"
STRICTLY = ("--strict", "--noEmit", "--module", "preserve", "--target", "es2022")


@pytest.fixture
def document(client: FlaskClient, tmp_path: Path) -> Path:
    file = tmp_path / "openapi.json"
    file.write_bytes(client.get("/v1/openapi.json").data)
    return file


@pytest.fixture
def server(store: Settings, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Return the base URL and a secret of a running server with a campaign."""
    campaigns.add(LIVE, SLUG, "Summer Promo 2025")
    _, secret = secrets.add(LIVE)
    with served(tmp_path) as running:
        yield urljoin(running.endpoint, "/v1"), secret


def test_a_python_client_runs(
    document: Path,
    server: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = tmp_path / "clients" / "campaign_codes_client"
    made.parent.mkdir()
    config = tmp_path / "config.json"
    config.write_text('{"post_hooks": []}')
    done = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning"),
            *("--path", document, "--config", config, "--meta", "none", "--output-path", made),
        ],
        capture_output=True,
        text=True,
        timeout=node.RUN_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    monkeypatch.syspath_prepend(made.parent)
    package = import_module(made.name)
    described = json.loads(document.read_text())["paths"].values()
    operations = {one["operationId"] for path in described for one in path.values()}
    modules = {
        module.name.rpartition(".")[2]: import_module(module.name)
        for module in pkgutil.walk_packages(package.__path__, f"{made.name}.")
    }
    assert operations <= set(modules)

    url, secret = server
    models = modules["models"]
    client = package.AuthenticatedClient(
        url, secret, prefix="", auth_header_name="X-API-Secret", raise_on_unexpected_status=True
    )

    def call(operation: str, *arguments: Any, **named: Any) -> Any:
        return modules[operation].sync(*arguments, client=client, **named)

    with client:
        asked = models.GenerateRequest(slug=SLUG, batch_size=2, points_value=500)
        generated = call("codes_generate", body=asked).data
        code, other = generated.codes
        assert (generated.batch.label, generated.batch.created_at.tzname()) == (None, "UTC")
        assert call("codes_verify", body=models.VerifyRequest(code=code)).data.valid is True
        use = models.RedeemRequest(user_id="user-1", code=code)
        redeemed = call("code_changes_redeem", SLUG, body=use, idempotency_key="order-1").data
        assert redeemed.points_earned == 500
        board = call("campaigns_show_leaderboard", SLUG).data
        assert [(each.user_id, each.rank) for each in board.entries] == [("user-1", 1)]
        player = call("campaigns_show_participant", SLUG, "user-1").data
        assert (player.display_name, player.total_points) == (None, 500)
        found = call("codes_lookup", body=models.LookupRequest(code=code)).data
        assert (found.redeemed_by, found.campaign.slug) == ("user-1", SLUG)
        verified = call("codes_verify", body=models.VerifyRequest(code=code)).data
        assert (verified.valid, verified.status.value) == (False, "REDEEMED")
        back = call("code_changes_roll_back", SLUG, redeemed.redemption_id).data
        assert (back.status.value, back.total_points) == ("ACTIVE", 0)
        wanted = [models.WebhookRequestEventsItem.CODE_REDEEMED]
        hook = models.WebhookRequest(url="https://shop.example/hooks", events=wanted)
        made = call("webhooks_add", body=hook).data
        assert made.secret.startswith("whsec_")
        (listed_hook,) = call("webhooks_list").data.webhooks
        assert listed_hook == made.webhook
        batch = models.CodeOrBatchRequest(batch_id=generated.batch.id)
        assert call("code_changes_revoke", body=batch).data.count == 2
        refused = call("code_changes_revoke", body=models.CodeOrBatchRequest(code=other))
        assert (refused.code, refused.error) == (409, "code_revoked")
        listed = call("codes_list_codes", slug=SLUG, batch_id=generated.batch.id).data
        assert [each.redeemed_by for each in listed.codes] == [None, None]


def test_a_typescript_client_is_sound_and_runs(
    document: Path, server: tuple[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "typescript"
    packages = node.installed(NODE_FOLDER, folder)
    cli = packages / "openapi-typescript" / "bin" / "cli.js"
    node.node(cli, document, "--output", "api.d.ts", folder=folder)
    tsc = packages / "typescript" / "bin" / "tsc"
    node.node(tsc, *STRICTLY, "use.ts", "api.d.ts", folder=folder)
    assert json.loads(node.node("use.ts", *server, folder=folder)) == {
        "label": None,
        "valid": True,
        "earned": 500,
        "status": "ACTIVE",
        "refusal": "code_revoked",
    }
