"""Webhooks over REST: of the environment and the partner of the secret, and never inwards."""

from __future__ import annotations

from typing import Any

import pytest

from app.config import Settings
from app.webhooks.secrets import Seal
from models.access import secrets
from models.promotions.campaign_counts import Owner
from models.store import clock
from models.webhooks import deliveries, webhooks
from models.webhooks.deliveries import Try, WebhookDelivery, WebhookEvent
from models.webhooks.webhooks import Webhook
from tests.app.rest.conftest import Caller

URL = "https://shop.example/hooks"
BODY = {"url": URL, "events": ["code.redeemed", "batch.ready"]}
NOBODY = "a1b2c3d4-e5f6-7890-abcd-ef1234567890"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Keep the key of webhooks in the folder of the test, whatever the engine."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def hook(live: Caller) -> Any:
    """Make a webhook, and return what was answered."""
    return live.data("/webhooks", BODY)


def test_a_webhook_is_made_and_its_secret_shown_once(
    live: Caller, hook: Any, settings: Settings
) -> None:
    made = hook["webhook"]
    assert (made["url"], made["events"], made["format"]) == (URL, BODY["events"], "standard")
    assert (made["enabled"], made["disabledWhy"], made["fullCodes"]) == (True, "", False)
    assert Seal(settings).opened(Webhook.get().secret) == hook["secret"]
    assert hook["secret"].startswith("whsec_")
    shown = live.get(f"/webhooks/{made['id']}")
    assert shown.get_json()["data"] == made
    assert live.read("/webhooks")["webhooks"] == [made]
    for answer in (shown, live.get("/webhooks")):
        assert hook["secret"].encode() not in answer.data


def test_a_lost_answer_leaves_a_webhook_whose_secret_is_rotated(live: Caller, hook: Any) -> None:
    again = live.post("/webhooks", BODY)
    assert (again.status_code, again.get_json()["error"]) == (409, "webhook_exists")
    place = f"/webhooks/{hook['webhook']['id']}"
    second = live.data(f"{place}/rotate")
    assert second["secret"] != hook["secret"]
    assert live.post(f"{place}/rotate").get_json()["error"] == "webhook_rotated"


def test_others_do_not_find_it(live: Caller, test: Caller, hook: Any) -> None:
    _, text = secrets.add(Owner(partner="acme"))
    stranger = Caller(live.client, text)
    webhooks.add("https://192.0.2.1/all", ["code.redeemed"], "sealed", 1)  # the operator's
    place = f"/webhooks/{hook['webhook']['id']}"
    for caller in (test, stranger):
        assert caller.read("/webhooks") == {"webhooks": []}
        assert caller.get(place).get_json()["message"] == "Webhook not found"
        assert caller.send("DELETE", place).status_code == 404
        for deed in ("rotate", "enable", "disable", "test"):
            assert caller.post(f"{place}/{deed}").status_code == 404
        assert caller.get(f"{place}/deliveries").status_code == 404
        since = {"since": "2030-01-01T00:00:00Z"}
        assert caller.post(f"{place}/resend", since).status_code == 404
    assert live.read("/webhooks")["webhooks"] == [hook["webhook"]]
    assert live.get(f"/webhooks/{NOBODY}").status_code == 404


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example/hooks",
        "https://127.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest",
        "https://user:pass@shop.example/",
        "https://2130706433/",
        "ftp://shop.example/",
        "//shop.example",
        "https://",
        "https://shop.example:99999/",
        "https://shop.example/\u202e",
        "x" * 2001,
    ],
)
def test_no_request_can_be_led_inwards(live: Caller, url: str) -> None:
    answer = live.post("/webhooks", BODY | {"url": url})
    assert answer.status_code == 400, answer.data
    assert Webhook.select().count() == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"events": []},
        {"events": ["code.used"]},
        {"events": ["code.redeemed"] * 9},
        {"events": "code.redeemed"},
        {"format": "other"},
        {"format": "gamifyhost"},
        {"fullCodes": "yes"},
        {"networks": ["127.0.0.0/8"]},
        {"allowNetwork": "127.0.0.0/8"},
        {"partner": "acme"},
        {"url": None},
    ],
)
def test_a_wrong_field_is_refused(live: Caller, wrong: dict[str, Any]) -> None:
    assert live.post("/webhooks", BODY | wrong).status_code == 400
    assert Webhook.select().count() == 0


def test_it_is_switched_off_and_on_and_removed(live: Caller, hook: Any) -> None:
    place = f"/webhooks/{hook['webhook']['id']}"
    off = live.data(f"{place}/disable")
    assert (off["enabled"], off["disabledWhy"]) == (False, "It was disabled through the API")
    assert live.data(f"{place}/enable") == hook["webhook"]
    assert live.send("DELETE", place).get_json()["data"] == hook["webhook"]
    assert live.send("DELETE", place).status_code == 404
    assert live.data("/webhooks", BODY)["webhook"]["id"] != hook["webhook"]["id"]


def test_deliveries_are_listed_and_sent_again(live: Caller, hook: Any) -> None:
    place = f"/webhooks/{hook['webhook']['id']}"
    live.generate()
    live.generate()
    tested = live.data(f"{place}/test")
    assert (tested["event"], tested["state"], tested["tries"]) == ("webhook.test", "WAITING", [])
    page = live.read(f"{place}/deliveries", limit=2)
    assert [each["event"] for each in page["deliveries"]] == ["webhook.test", "batch.ready"]
    rest = live.read(f"{place}/deliveries", limit=2, cursor=page["nextCursor"])
    assert [each["event"] for each in rest["deliveries"]] == ["batch.ready"]
    assert rest["nextCursor"] is None
    last = rest["deliveries"][0]
    delivery = WebhookDelivery.get(WebhookDelivery.event_id == last["sequence"])
    deliveries.settle([Try(delivery, "standard", 204, "", None, 0.25)])
    done = live.read(f"{place}/deliveries", state="DELIVERED")["deliveries"]
    assert [each["eventId"] for each in done] == [last["eventId"]]
    assert done[0]["nextTryAt"] is None
    [tried] = done[0]["tries"]
    assert (tried["status"], tried["problem"], tried["ms"]) == (204, "", 250)
    early = {"since": "2001-01-01T00:00:00Z"}
    assert live.data(f"{place}/resend", early) == {"resent": 1}
    assert live.data(f"{place}/resend", early | {"everything": True}) == {"resent": 2}
    assert live.data(f"{place}/resend", {"eventId": last["eventId"]}) == {"resent": 1}
    assert live.read(f"{place}/deliveries", state="DELIVERED")["deliveries"] == []
    for wrong in ({}, early | {"eventId": NOBODY}, {"since": "yesterday"}, {"eventId": "x"}):
        assert live.post(f"{place}/resend", wrong).status_code == 400
    assert live.post(f"{place}/resend", {"eventId": NOBODY}).status_code == 404


def test_only_what_the_secret_owns_is_told(live: Caller, test: Caller, hook: Any) -> None:
    live.generate()
    answer = test.post("/campaigns", {"slug": "other", "name": "Other"})
    assert answer.status_code == 200
    body = {"slug": "other", "batchSize": 1, "pointsValue": 1}
    assert test.post("/campaigns/codes/generate", body).status_code == 200
    [event] = WebhookEvent.select()
    assert (event.kind, event.data["campaign_slug"]) == ("batch.ready", "summer-promo")


def test_a_kept_answer_tells_nothing_again(live: Caller, hook: Any) -> None:
    [code] = live.generate()
    before = WebhookEvent.select().count()
    body = {"userId": "anna", "code": code}
    path = "/campaigns/summer-promo/redeem"
    first, second = (
        live.post(path, body, headers={"Idempotency-Key": "one"}).data for _ in range(2)
    )
    assert first == second
    assert live.post(path, body).status_code == 409
    assert WebhookEvent.select().count() == before + 1
    assert clock.now() >= WebhookEvent.select().order_by(WebhookEvent.id.desc()).get().at
