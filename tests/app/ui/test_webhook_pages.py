"""The pages of webhooks: made, tried, changed and removed by an admin alone."""

from __future__ import annotations

import re
from datetime import UTC
from typing import Any

import pytest
from flask import Flask

from app.webhooks.secrets import Seal
from models.promotions import batch_life
from models.promotions.terms import Terms
from models.store import clock
from models.webhooks import deliveries, webhooks
from models.webhooks.deliveries import Try, WebhookDelivery
from models.webhooks.webhooks import Webhook
from tests.app.ui.people import Person

NEW = {
    "url": "https://shop.example/hooks?key=unseen-key",
    "events": ["batch.ready", "code.redeemed"],
}
MORE = {"format": "standard", "environment": "LIVE", "partner": ""}
PAGE = "/ui/webhooks"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Keep the key of webhooks in the folder of the test, whatever the engine."""
    monkeypatch.chdir(tmp_path)


def test_a_webhook_is_made_and_its_secret_shown_once(app: Flask, admin: Person) -> None:
    page = admin.post(PAGE, NEW | MORE)
    (text,) = re.findall(r"whsec_[\w+/=]+", page.text)
    made = Webhook.get()
    assert Seal(app.config["SETTINGS"]).opened(made.secret) == text
    assert (made.events, made.partner, made.full_codes) == (NEW["events"], None, False)
    for path in (PAGE, f"{PAGE}/{made.id}"):
        shown = admin.text(path)
        assert text not in shown
        assert "unseen-key" not in shown
    rotated = admin.post(f"{PAGE}/{made.id}/rotate", at=f"{PAGE}/{made.id}")
    (second,) = re.findall(r"whsec_[\w+/=]+", rotated.text)
    assert second != text
    assert "Both secrets sign until" in admin.text(f"{PAGE}/{made.id}")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"url": "http://shop.example/"}, "https://"),
        ({"url": "https://127.0.0.1/"}, "its address is not public"),
        ({"url": ""}, "Say where to send."),
        ({"events": []}, "The events are one or more of"),
        ({"format": "gamifyhost"}, "there are points that codes have given alone"),
    ],
)
def test_what_is_wrong_stands_in_the_form(
    admin: Person, wrong: dict[str, Any], sentence: str
) -> None:
    page = admin.post(PAGE, NEW | MORE | wrong)
    assert page.status_code == 400
    assert sentence in page.text.replace("&#39;", "'")
    assert Webhook.select().count() == 0


def test_it_is_switched_tried_sent_again_and_removed(admin: Person) -> None:
    admin.post(PAGE, NEW | MORE)
    here = f"{PAGE}/1"
    assert "Nothing was sent yet." in admin.text(here)
    admin.post(f"{here}/test", at=here)
    assert "webhook.test" in admin.text(here)
    batch_life.make("Batch", Terms.of(), 1)
    last = WebhookDelivery.select().order_by(WebhookDelivery.id.desc()).get()
    deliveries.settle([Try(last, "standard", 500, "answered 500", None, 0.2)])
    shown = admin.text(here)
    assert "answered 500" in shown
    assert "next try" in shown
    admin.post(f"{here}/disable", at=here)
    assert "Somebody has disabled it on its page" in admin.text(here)
    admin.post(f"{here}/enable", at=here)
    assert webhooks.by_id(1).enabled
    today = clock.today(UTC).isoformat()
    assert admin.post(f"{here}/resend", {"since": "x"}, at=here).status_code == 400
    assert admin.post(f"{here}/resend", {"since": today}, at=here).status_code == 303
    assert WebhookDelivery.get_by_id(last.id).tries == 0
    assert admin.post(f"{here}/remove", at=here).location == PAGE
    assert admin.text(here, 404)


def test_long_lists_have_pages(admin: Person) -> None:
    admin.post(PAGE, NEW | MORE)
    for number in range(53):
        batch_life.make(f"Batch {number}", Terms.of(), 1)
    first = admin.text(f"{PAGE}/1")
    older = re.findall(r'rel="next" href="([^"]+)"', first)
    second = admin.text(older[0])
    rows = [len(re.findall(r"batch\.ready<br>", text)) for text in (first, second)]
    assert rows == [50, 3]
    assert 'rel="next"' not in second
