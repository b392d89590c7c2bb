"""Every change leaves an entry of the audit, with who made it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

import calls
from app.cli import main
from app.config import Settings
from models.access import accesses, secrets
from models.campaigns import campaigns
from models.promotions import batch_life, coupons
from models.promotions.campaign_counts import Owner
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.store import audit, visibility
from models.store.audit import AuditEntry
from models.store.base import database
from models.webhooks import webhooks
from tests.credentials import CREDENTIALS

TERMS = {"coupon_type": "cart", "type": "percent", "value": "10"}
WITHOUT = {"redeemPromoCode", "applyInvoiceCoupon"}
"""Uses have a log of their own."""
CALLS: dict[str, dict[str, str]] = {
    "addPromoBatch": TERMS | {"name": "New", "size": "2"},
    "addPromoCode": TERMS | {"code": "NEW"},
    "deletePromoBatch": {"id": "{batch}"},
    "deletePromoCode": {"code": "ALONE"},
    "editPromoBatch": {"id": "{batch}", "value": "20"},
    "editPromoCode": {"code": "ALONE", "notes": "x"},
    "generatePromoCodes": {"id": "{batch}", "size": "2"},
    "releasePromoCode": {"id": "1"},
    "updatePromoCode": TERMS | {"id": "{coupon}", "code": "ALONE", "status": "Archived"},
}
COMMANDS = [
    ("access", "add", "--name", "x"),
    ("access", "deny", "{access}", "addPromoCode"),
    ("access", "addresses", "{access}", "192.0.2.0/24"),
    ("access", "disable", "{access}"),
    ("access", "remove", "{access}"),
    ("batch", "generate", "--name", "x", "--size", "2", "--value", "5"),
    ("batch", "grow", "{batch}", "--size", "2"),
    ("batch", "edit", "{batch}", "--value", "5"),
    ("batch", "archive", "{batch}"),
    ("batch", "delete", "{batch}", "--yes"),
    ("coupon", "edit", "ALONE", "--value", "5"),
    ("coupon", "revoke", "ALONE"),
    ("coupon", "delete", "ALONE", "--yes"),
    ("campaign", "add", "winter", "--name", "Winter"),
    ("campaign", "edit", "promo", "--status", "paused"),
    ("redemption", "release", "1"),
    ("secret", "add", "--name", "x"),
    ("secret", "revoke", "{secret}"),
    ("secret", "deactivate", "{secret}"),
    ("webhook", "add", "https://shop.example/hooks", "--events", "all"),
    ("webhook", "rotate", "{webhook}"),
    ("webhook", "disable", "{webhook}"),
    ("webhook", "resend", "{webhook}", "--since", "2030-01-01T00:00:00Z"),
    ("webhook", "remove", "{webhook}"),
    ("user", "add", "otto", "--role", "viewer", "--invite"),
    ("call", "addPromoCode", "code=NEW", "coupon_type=cart", "type=fixed", "value=1"),
]


@pytest.fixture
def ids(app: Flask) -> dict[str, str]:
    """Make what is changed: a batch, a code with a use, an access, a secret, a campaign."""
    batch = batch_life.make("Spring", Terms.of(value=10), 2)
    coupon = coupons.add("ALONE", Terms.of(value=10))
    query = CREDENTIALS | {"call": "redeemPromoCode", "code": "ALONE"}
    assert app.test_client().get("/api.php", query_string=query).json["success"]
    _, pair = accesses.add("other")
    secret, _ = secrets.add(Owner(), "mobile")
    campaigns.add(Owner(), "promo", "Promo")
    hook = webhooks.add("https://192.0.2.1/", ["code.redeemed"], "sealed", visibility.LIVE)
    found = {"batch": batch.id, "coupon": coupon.id, "access": pair.api_id, "secret": secret.id}
    found["webhook"] = hook.id
    return {name: str(value) for name, value in found.items()}


def last() -> AuditEntry:
    return AuditEntry.select().order_by(AuditEntry.id.desc()).first()


def test_every_writing_call_is_tried_here() -> None:
    writing = {name for name, call in calls.registry().items() if call.writes}
    assert writing == CALLS.keys() | WITHOUT


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_noted(client: FlaskClient, ids: dict[str, str], name: str) -> None:
    before = last().id
    arguments = {key: text.format(**ids) for key, text in CALLS[name].items()}
    query = CREDENTIALS | {"call": name} | arguments
    answer = client.get("/api.php", query_string=query).json
    assert answer["success"], answer
    entry = last()
    assert entry.id > before
    assert (entry.actor_kind, entry.actor, entry.address) == (audit.ACCESS, "tests", "127.0.0.1")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_is_noted(
    settings: Settings, ids: dict[str, str], words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = last().id
    monkeypatch.setenv("PROMOBRIDGE_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("LOGNAME", "olga")
    done = CliRunner().invoke(main, [word.format(**ids) for word in words])
    assert done.exit_code == 0, done.output
    with database.connection_context():
        entry = last()
    assert entry.id > before
    assert (entry.actor_kind, entry.actor) == (audit.COMMAND, "olga")


def test_the_rest_api_is_noted(client: FlaskClient, ids: dict[str, str]) -> None:
    _, text = secrets.add(Owner(), "shop")

    def post(path: str, **body: Any) -> Any:
        before = last().id
        headers = {"X-API-Secret": text}
        answer = client.post(f"/v1/campaigns{path}", json=body, headers=headers)
        assert answer.status_code in (200, 201, 202), (path, answer.json)
        return answer.json, last() if last().id > before else None

    _, made = post("", slug="winter", name="Winter")
    generated, batch = post("/codes/generate", slug="promo", batchSize=2, pointsValue=5)
    code = re.findall(r"PROM-[A-Z0-9]+", str(generated))[0]
    _, imported = post("/codes/import", slug="promo", codes=["OWN-CODE-1"], pointsValue=5)
    _, revoked = post("/codes/revoke", code=code)
    _, back = post("/codes/reactivate", code=code)
    used, nothing = post("/promo/redeem", code=code, userId="u")
    data = used.get("data", used)
    _, rolled = post(f"/promo/redemptions/{data['redemptionId']}/rollback")
    _, job = post("/codes/jobs", slug="promo", batchSize=10_001, pointsValue=5)
    assert nothing is None
    for entry in (made, batch, imported, revoked, back, rolled, job):
        assert entry is not None
        assert (entry.actor_kind, entry.actor) == (audit.SECRET, "shop")
        assert code not in f"{entry.subject}{entry.before}{entry.after}"


def test_what_differs_is_kept_and_no_more(store: Settings) -> None:
    batch = batch_life.make("Spring", Terms.of(value=10), 1)
    coupon = Coupon.get(Coupon.batch_id == batch.id)
    from datetime import UTC

    from models.promotions import coupon_life
    from models.store import clock

    today = clock.today(UTC)
    coupon_life.edit(coupon.id, today, active=False)
    entry = last()
    assert (entry.action, entry.before, entry.after) == (
        *("edited", {"active": True}, {"active": False}),
    )
    coupon_life.edit(coupon.id, today, active=False)
    assert last().id == entry.id, "nothing was changed"
    audit.note("made", "code", 1, "x" * 300, after={"text": "y" * 600, "n": 5})
    kept = last()
    assert (len(kept.subject), len(kept.after["text"]), kept.after["n"]) == (255, 501, 5)


def test_old_entries_go(store: Settings) -> None:
    for at in (5, 10):
        audit.note("made", "code", at, "x")
        AuditEntry.update(at=at).where(AuditEntry.subject_id == at).execute()
    assert audit.prune(10) == 1
    assert last().at == 10


def test_the_command_lists_them(
    settings: Settings, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMOBRIDGE_DATABASE_URL", settings.database_url)
    done = CliRunner().invoke(main, ["audit", "list", "--subject", "batch", "--id", ids["batch"]])
    assert done.output.count("\n") == 2
    assert "Spring" in done.output
