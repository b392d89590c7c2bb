"""What a receiver gets, over real sockets: signed, told once where it answers, else tried again."""

from __future__ import annotations

import hashlib
import hmac
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from app.config import Settings
from app.webhooks import secrets
from app.webhooks.secrets import Seal
from app.webhooks.sending import Sender
from models.campaigns import campaign_codes, campaign_making, campaigns
from models.campaigns.campaign_making import Plan
from models.promotions.campaign_counts import Owner
from models.webhooks import deliveries, webhooks
from models.webhooks.deliveries import DELIVERED, WAITING, WebhookDelivery, WebhookEvent
from models.webhooks.webhooks import BATCH_CREATED, GAMIFYHOST, REDEEMED
from tests.app.webhooks.conftest import Hooks, send_all
from tests.programs import program
from tests.receiver import Receiver
from tests.waiting import wait_until

TODAY = date(2030, 1, 1)
VERIFY_IN_PHP = """
[$secret, $signature] = array_slice($argv, 1);
$body = stream_get_contents(STDIN);
$right = 'sha256=' . hash_hmac('sha256', $body, $secret);
echo hash_equals($right, $signature) ? json_decode($body, true)['event'] : 'forged';
"""


def redeemed() -> Any:
    """Use a code of a campaign, and return the redemption and the code."""
    campaign = campaigns.by_slug_or_none(Owner(), "promo") or campaigns.add(
        Owner(), "promo", "Promo"
    )
    _, [code] = campaign_making.generate(campaign, 1, Plan(500))
    done = campaign_codes.redeem(Owner(), "promo", "anna", code, TODAY)
    return done.redemption, code


def test_a_request_is_signed_and_holds_the_event(receiver: Receiver, hooks: Hooks) -> None:
    _, secret = hooks.add("", REDEEMED)
    redemption, code = redeemed()
    send_all(hooks.seal)
    [request] = receiver.received
    event = WebhookEvent.get()
    assert Verifier(secret).verify(request.body, request.headers) == request.json
    assert request.headers["webhook-id"] == event.uuid
    assert request.headers["content-type"] == "application/json"
    told = request.json
    assert {name: told[name] for name in ("type", "sequence", "environment")} == {
        "type": REDEEMED,
        "sequence": event.id,
        "environment": "LIVE",
    }
    data = told["data"]
    assert (data["code"], data["redemptionUuid"]) == (f"PROM-******{code[-2:]}", redemption.uuid)
    assert (data["userId"], data["points"], data["totalPoints"]) == ("anna", 500, 500)
    assert code.encode() not in request.body
    with pytest.raises(WebhookVerificationError):
        Verifier(secret).verify(request.body.replace(b"anna", b"eva"), request.headers)
    assert WebhookDelivery.get().state == DELIVERED


def test_codes_are_told_in_full_to_whom_may_know_them(receiver: Receiver, hooks: Hooks) -> None:
    hooks.add("", REDEEMED, full_codes=True)
    _, code = redeemed()
    send_all(hooks.seal)
    assert receiver.received[0].json["data"]["code"] == code


def test_both_secrets_sign_for_a_day(
    receiver: Receiver, hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook, first = hooks.add()
    second = secrets.new()
    webhooks.rotate(hook.id, hooks.seal.sealed(second))
    hooks.happen()
    send_all(hooks.seal)
    [request] = receiver.received
    for secret in (first, second):
        Verifier(secret).verify(request.body, request.headers)
    webhooks.Webhook.update(old_secret_until=1).execute()
    hooks.happen()
    send_all(hooks.seal)
    request = receiver.received[-1]
    Verifier(second).verify(request.body, request.headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(first).verify(request.body, request.headers)


def test_gamifyhosts_form_is_verified_by_php(receiver: Receiver, hooks: Hooks) -> None:
    _, secret = hooks.add("", REDEEMED, format=GAMIFYHOST)
    redemption, _ = redeemed()
    send_all(hooks.seal)
    [request] = receiver.received
    assert set(request.json) == {"event", "data", "timestamp"}
    assert request.json["data"] == {
        "ledgerId": redemption.uuid,
        "userId": "anna",
        "eventType": "code_redeemed",
        "pointsAwarded": 500,
        "userBalance": 500,
        "reference": "promo",
        "createdAt": request.json["timestamp"],
    }
    assert request.headers["x-webhook-event"] == "points.awarded"
    assert request.headers["x-webhook-timestamp"].endswith("Z")
    signature = request.headers["x-webhook-signature"]
    for body, said in ((request.body, "points.awarded"), (request.body + b" ", "forged")):
        command = [program("php"), "-r", VERIFY_IN_PHP, "--", secret, signature]
        run = subprocess.run(command, input=body, capture_output=True, check=True)
        assert run.stdout.decode() == said
    # The whole text of the secret is the key, not what it encodes.
    digest = hmac.new(secret.encode(), request.body, hashlib.sha256).hexdigest()
    assert signature == f"sha256={digest}"


@pytest.mark.parametrize(
    ("status", "problem"),
    [(500, "answered 500"), (302, "redirects are not followed (302)"), (404, "answered 404")],
)
def test_what_failed_is_sent_again_with_the_same_id_and_body(
    receiver: Receiver, hooks: Hooks, status: int, problem: str
) -> None:
    hooks.add()
    receiver.statuses = [status]
    receiver.headers = {"Location": f"{receiver.url}elsewhere"}
    hooks.happen()
    send_all(hooks.seal)
    delivery = WebhookDelivery.get()
    assert (delivery.state, delivery.tries, delivery.told[0]["problem"]) == (WAITING, 1, problem)
    WebhookDelivery.update(due_at=0).execute()
    send_all(hooks.seal)
    first, second = receiver.received
    assert {first.path, second.path} == {"/"}
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert WebhookDelivery.get().state == DELIVERED


def test_a_lost_answer_and_one_that_asks_for_time(receiver: Receiver, hooks: Hooks) -> None:
    hooks.add("lost")
    hooks.happen()
    send_all(hooks.seal)
    assert WebhookDelivery.get().told[0]["problem"].startswith("it closed the connection")
    receiver.headers, receiver.statuses = {"Retry-After": "4000"}, [503]
    webhooks.Webhook.update(url=receiver.url).execute()
    WebhookDelivery.update(due_at=0).execute()
    before = webhooks.clock.now()
    send_all(hooks.seal)
    assert 4000 <= WebhookDelivery.get().due_at - before <= 4060


def test_410_is_the_last_that_is_sent(receiver: Receiver, hooks: Hooks) -> None:
    hook, _ = hooks.add()
    receiver.statuses = [410]
    hooks.happen()
    send_all(hooks.seal)
    hooks.happen(3)
    send_all(hooks.seal)
    assert len(receiver.received) == 1
    assert not webhooks.by_id(hook.id).enabled


def test_a_receiver_that_hangs_holds_no_other(receiver: Receiver, hooks: Hooks) -> None:
    hooks.add("hang")
    hooks.add("good")
    hooks.happen(30)
    sender = Sender(hooks.seal)

    def all_came() -> bool:
        sender.turn(0.05)
        return len(receiver.ids("/good")) == 30

    wait_until(all_came)
    assert len(receiver.ids("/hang")) == 2
    # Its two requests, and two to the other.
    assert receiver.most_under_way <= 4
    receiver.let_go.set()
    wait_until(lambda: not (sender.turn(0.5) or deliveries.webhooks_due()), pause=0)
    sender.close(5)
    assert len(set(receiver.ids("/hang"))) == len(receiver.ids("/hang")) == 30


def test_two_senders_send_each_event_once(receiver: Receiver, hooks: Hooks) -> None:
    for name in ("a", "b", "c"):
        hooks.add(name)
    hooks.happen(12)
    senders = [Sender(hooks.seal) for _ in range(2)]

    def done() -> bool:
        busy = [each.turn(0.02) for each in senders]
        return not (any(busy) or deliveries.webhooks_due())

    wait_until(done, pause=0)
    for each in senders:
        each.close(5)
    for name in ("a", "b", "c"):
        ids = receiver.ids(f"/{name}")
        assert len(ids) == len(set(ids)) == 12


def test_a_secret_of_another_key_is_said_and_mended_by_a_rotation(
    receiver: Receiver, hooks: Hooks, settings: Settings, tmp_path: Path
) -> None:
    hook, _ = hooks.add()
    other = Seal(Settings(settings.database_url, webhook_key_file=str(tmp_path / "other.key")))
    hooks.happen()
    send_all(other)
    assert receiver.received == []
    assert "was not sealed with the key in other.key" in WebhookDelivery.get().told[0]["problem"]
    second = secrets.new()
    webhooks.rotate(hook.id, other.sealed(second))
    webhooks.Webhook.update(old_secret=None).execute()
    WebhookDelivery.update(due_at=0).execute()
    send_all(other)
    [request] = receiver.received
    Verifier(second).verify(request.body, request.headers)


def test_the_key_is_for_its_owner_only_and_no_secret_is_in_the_store(hooks: Hooks) -> None:
    hook, secret = hooks.add()
    assert hooks.seal.path.stat().st_mode & 0o777 == 0o600
    row = webhooks.by_id(hook.id)
    assert secret not in str(row.__data__)
    assert secret.removeprefix("whsec_") not in str(row.__data__)
    assert hooks.seal.opened(row.secret) == secret


def test_what_is_not_public_is_refused_when_it_is_sent(receiver: Receiver, hooks: Hooks) -> None:
    port = receiver.url.rstrip("/").rpartition(":")[2]
    for number, host in enumerate(("localhost", "127.0.0.1", "[::1]")):
        hook, _ = hooks.add(f"{number}", networks=[])
        webhooks.Webhook.update(url=f"https://{host}:{port}/{number}").where(
            webhooks.Webhook.id == hook.id
        ).execute()
    hooks.happen()
    send_all(hooks.seal)
    problems = [each.told[0]["problem"] for each in WebhookDelivery.select()]
    assert problems == ["its address is not public"] * 3
    assert receiver.received == []


def test_events_carry_no_more_than_the_schema_names(receiver: Receiver, hooks: Hooks) -> None:
    hooks.add("", BATCH_CREATED)
    hooks.happen()
    send_all(hooks.seal)
    assert set(receiver.received[0].json["data"]) == {
        "batchId",
        "batchUuid",
        "batchName",
        "campaignUuid",
        "campaignSlug",
        "codes",
    }
