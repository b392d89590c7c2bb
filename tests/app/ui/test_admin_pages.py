"""Accesses, secrets, campaigns, the panel, the usage log and the audit."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask

import calls
from models.access import accesses, secrets
from models.campaigns import campaigns
from models.panel import differences, pending, routes
from models.panel.differences import Compared, Found
from models.panel.pending import PanelPending
from models.promotions.campaign_counts import Campaign, Owner
from models.store import audit, clock, visibility
from models.store.audit import AuditEntry
from models.store.base import change
from tests.app.ui.people import REVISION, Person, token_in
from tests.credentials import CREDENTIALS

MARKUP = "<script>alert(1)</script>"


def test_an_access_is_made_and_its_key_shown_once(app: Flask, admin: Person) -> None:
    page = admin.post("/ui/accesses", {"name": MARKUP, "rules": "192.0.2.0/24"})
    shown = re.findall(r"<code[^>]*>([0-9a-f]{20})</code>", page.text)
    pair = {"api_id": shown[0], "api_key": shown[1]}
    assert accesses.authenticated(**pair) is not None
    again = admin.text("/ui/accesses")
    assert pair["api_key"] not in again
    assert b"<script>alert" not in admin.get("/ui/accesses").data
    path = f"/ui/accesses/{pair['api_id']}"
    wrong = admin.post(f"{path}/addresses", {"rules": "here"}, at=path)
    assert wrong.status_code == 400
    assert "is none of: all, an address" in wrong.text
    admin.post(f"{path}/addresses", {"rules": "all"}, at=path)
    admin.post(f"{path}/calls", {"calls": ["listPromoBatches", "nonsense"]}, at=path)
    found = accesses.by_api_id(pair["api_id"])
    assert (found.ip_rule, found.calls) == ("all", ["listPromoBatches"])
    every = list(calls.registry())
    admin.post(f"{path}/calls", {"calls": every, "which": "ticked"}, at=path)
    # The calls of a panel stay closed.
    assert accesses.by_api_id(pair["api_id"]).calls == every
    assert 'value="ticked" checked' in admin.text(path)
    admin.post(f"{path}/calls", {"calls": [], "which": "every"}, at=path)
    assert accesses.by_api_id(pair["api_id"]).calls is None
    for name, enabled in (("disable", False), ("enable", True)):
        admin.post(f"{path}/{name}", at=path)
        assert accesses.by_api_id(pair["api_id"]).enabled is enabled
    assert admin.post(f"{path}/remove", at=path).location == "/ui/accesses"
    assert admin.text(path, 404)
    assert admin.post("/ui/accesses", {"name": "", "rules": "all"}).status_code == 400


def test_a_secret_is_made_and_shown_once(admin: Person) -> None:
    page = admin.post("/ui/secrets", {"name": MARKUP, "environment": "TEST", "partner": "shop"})
    (text,) = re.findall(r"sk_test_\w+", page.text)
    secret = secrets.by_text(text)
    assert secret is not None
    assert secret.owner == Owner(visibility.TEST, "shop")
    assert text not in admin.text("/ui/secrets")
    assert b"<script>alert" not in admin.get("/ui/secrets").data
    for change_, active in (("deactivate", False), ("activate", True)):
        admin.post(f"/ui/secrets/{secret.id}/{change_}", at="/ui/secrets")
        assert secrets.by_text(text).active is active
    admin.post(f"/ui/secrets/{secret.id}/revoke", at="/ui/secrets")
    assert secrets.by_text(text).revoked_at is not None


def test_a_campaign_is_made_and_changed(operator: Person) -> None:
    new = {"slug": "summer", "name": MARKUP, "environment": "LIVE", "partner": ""}
    made = operator.post("/ui/campaigns", new)
    campaign = Campaign.get()
    assert made.location == f"/ui/campaigns/{campaign.id}"
    again = operator.post("/ui/campaigns", new)
    assert "There is a campaign summer already" in again.text
    page = operator.text(made.location)
    revision = page.split('name="revision" value="')[1].split('"')[0]
    form = {"name": "Summer", "status": "paused", "revision": revision}
    assert operator.post(made.location, form).status_code == 303
    assert Campaign.get().status == "paused"
    conflict = operator.post(made.location, form | {"name": "Autumn"})
    assert conflict.status_code == 409
    assert "<mark>Autumn</mark>" in conflict.text
    assert b"<script>alert" not in operator.get("/ui/campaigns").data
    assert operator.text("/ui/campaigns/99", 404)


def test_the_panel_is_shown_and_what_is_pending_settled(operator: Person) -> None:
    assert "stands in front of no panel" in operator.text("/ui/panel")
    routes.switch("listPromoCodes", "shadow")
    differences.note([Compared("listpromocodes", [Found("coupons[].notes", MARKUP, "x")])])
    page = operator.text("/ui/panel")
    assert "the panel, compared with this service" in page
    assert "coupons[].notes" in page
    assert b"<script>alert" not in operator.get("/ui/panel").data
    row = pending.begin("addPromoCode", "d" * 64, "worker", 1, code="NEW")
    PanelPending.update(deadline=clock.now() - 9).where(PanelPending.id == row.id).execute()
    assert "It did not" in operator.text("/ui/panel")
    operator.post(f"/ui/panel/pending/{row.id}", {"word": "refused"}, at="/ui/panel")
    assert "It did not" not in operator.text("/ui/panel")


@pytest.mark.parametrize(
    ("change", "form", "both"),
    [
        ("addresses", {"rules": "192.0.2.7"}, ("192.0.2.7", "198.51.100.1")),
        ("calls", {"calls": ["listPromoBatches"]}, ("listPromoBatches", "every call")),
        ("disable", {}, ()),
        ("remove", {}, ()),
    ],
)
def test_of_two_admins_the_second_is_told(
    app: Flask, admin: Person, change: str, form: dict[str, Any], both: tuple[str, ...]
) -> None:
    access, _ = accesses.add("shop")
    path = f"/ui/accesses/{access.api_id}"
    page = admin.get(path).data
    accesses.admit_from(access.api_id, "198.51.100.1")
    hidden = {"csrf_token": token_in(page), "revision": REVISION.search(page)[1].decode()}
    answer = admin.client.post(f"{path}/{change}", data=hidden | form)
    assert answer.status_code == 409
    assert all(text in answer.text for text in both)
    now = accesses.by_api_id(access.api_id)
    assert (now.ip_rule, now.calls, now.enabled) == ("198.51.100.1", None, True)


def test_calls_are_listed_by_pages(app: Flask, viewer: Person) -> None:
    client = app.test_client()
    for _ in range(60):
        client.get("/api.php", query_string=CREDENTIALS | {"call": "listPromoBatches"})
    client.get("/api.php", query_string=CREDENTIALS | {"call": "deletePromoCode", "code": "X"})
    app.config["USAGE_LOG"].close()
    page = viewer.text("/ui/calls")
    assert page.count("<tr>") == 51
    assert "refused: code_not_found" in page
    older = re.search(r'href="(/ui/calls\?older=[^"]+)"', page)
    assert older is not None
    assert viewer.text(older[1]).count("<tr>") == 12
    assert viewer.text("/ui/calls?result=refused").count("<tr>") == 2
    assert viewer.text("/ui/calls?call=deletePromoCode").count("<tr>") == 2
    assert "No call is like that" in viewer.text("/ui/calls?api_id=nobody")
    assert viewer.text("/ui/calls?older=1.x").count("<tr>") == 51
    callers = viewer.text("/ui/calls/callers")
    assert ">60<" in callers


@pytest.mark.parametrize(
    ("query", "rows"),
    [("", 3), ("?actor=otto", 1), ("?subject_kind=code", 2), ("?actor_kind=x", 0)],
)
def test_the_audit_is_filtered(app: Flask, viewer: Person, query: str, rows: int) -> None:
    AuditEntry.delete().execute()
    with change():
        audit.note("made", "code", 1, MARKUP, after={MARKUP: MARKUP})
        audit.note("edited", "code", 2, "X", {"a": 1}, {"a": 2})
        token: Any = audit.ACTOR.set(audit.Actor(audit.USER, "otto", "192.0.2.1"))
        audit.note("deleted", "batch", 3, "Spring")
        audit.ACTOR.reset(token)
    page = viewer.get(f"/ui/audit{query}")
    assert page.text.count("<tr>") == (rows + 1 if rows else 0)
    assert b"<script>alert" not in page.data


def test_a_campaign_list_is_empty_at_first(viewer: Person) -> None:
    assert "There is no campaign yet" in viewer.text("/ui/campaigns")
    assert "There is no batch yet" in viewer.text("/ui/batches")
    assert "No code has been used yet" in viewer.text("/ui/redemptions")
    assert "No try was refused lately" in viewer.text("/ui/refused")
    campaigns.add(Owner(), "promo", "Promo")
    assert "Promo" in viewer.text("/ui/campaigns")
