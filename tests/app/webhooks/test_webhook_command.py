"""The command line of webhooks: made, tried, rotated, listed; and sentences for what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result
from standardwebhooks.webhooks import Webhook as Verifier

from app.cli import main
from app.config import Settings
from app.webhooks.secrets import Seal
from models.promotions import batch_life
from models.promotions.terms import Terms
from models.webhooks import webhooks
from models.webhooks.deliveries import WebhookEvent
from tests.receiver import LOOPBACK, Receiver
from tests.serving import request_bytes, served
from tests.waiting import wait_until

Run = Callable[..., Result]
PUBLIC = "https://shop.example/hooks"


@pytest.fixture
def run(store: Settings, seal: Seal) -> Run:
    """Return a function that runs `promobridge webhook` over the store of the test."""
    environment = {
        "PROMOBRIDGE_DATABASE_URL": store.database_url,
        "PROMOBRIDGE_WEBHOOK_KEY_FILE": str(seal.path),
    }
    runner = CliRunner(env=environment)
    return lambda *words: runner.invoke(main, ["webhook", *map(str, words)])


def test_a_webhook_is_made_tried_and_removed(run: Run, receiver: Receiver) -> None:
    wanted = ("--events", "code.redeemed, batch.ready", "--allow-network", LOOPBACK, "--json")
    made = json.loads(run("add", receiver.url, *wanted).stdout)
    assert (made["id"], made["events"]) == (1, ["code.redeemed", "batch.ready"])
    done = run("test", 1, "--json")
    assert json.loads(done.stdout)["status"] == 200
    [request] = receiver.received
    told = Verifier(made["secret"]).verify(request.body, request.headers)
    assert (told["type"], told["sequence"]) == ("webhook.test", 0)
    assert WebhookEvent.select().count() == 0
    second = json.loads(run("rotate", 1, "--json").stdout)["secret"]
    assert run("test", 1).exit_code == 0
    for secret in (made["secret"], second):
        Verifier(secret).verify(receiver.received[-1].body, receiver.received[-1].headers)
    receiver.statuses = [500]
    failed = run("test", 1)
    assert failed.exit_code == 1
    assert failed.output == "Error: The webhook did not receive it: answered 500\n"
    assert "disabled" in run("disable", 1).stdout
    assert run("list").stdout.splitlines()[1].endswith("disabled: An operator has disabled it")
    assert run("enable", 1).exit_code == 0
    assert second not in run("list", "--json").stdout
    assert run("remove", 1).exit_code == 0
    assert run("remove", 1).output == "Error: There is no webhook 1\n"


def test_all_means_all_events_and_gamifyhost_points(run: Run) -> None:
    everything = json.loads(run("add", PUBLIC, "--events", "all", "--json").stdout)
    assert everything["events"] == list(webhooks.EVENTS)
    vendors = run("add", f"{PUBLIC}/2", "--format", "gamifyhost", "--partner", "acme", "--json")
    assert json.loads(vendors.stdout)["events"] == ["code.redeemed"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("add", PUBLIC), "The events are one or more of: code.redeemed, code.released,"),
        (("add", PUBLIC, "--events", "code.used"), "The events are one or more of:"),
        (("add", "http://shop.example/", "--events", "all"), "https://"),
        (("add", "https://127.0.0.1/", "--events", "all"), "its address is not public"),
        (
            ("add", "https://127.0.0.1/", "--events", "all", "--allow-network", "10.0.0.1/8"),
            "a network is 10.0.0.0/24 or fd00::/8",
        ),
        (
            ("add", PUBLIC, "--format", "gamifyhost", "--events", "all"),
            "In GamifyHost's form there are points that codes have given alone: code.redeemed",
        ),
        (("add", PUBLIC, "--format", "xml"), "'xml' is not one of 'standard', 'gamifyhost'"),
        (("test", "7"), "There is no webhook 7"),
        (("deliveries", "7"), "There is no webhook 7"),
        (("resend", "7"), "Give either --since or --event"),
        (("resend", "7", "--since", "yesterday"), "There is no webhook 7"),
    ],
)
def test_what_is_wrong_is_a_sentence(run: Run, words: tuple[str, ...], sentence: str) -> None:
    done = run(*words)
    assert done.exit_code in (1, 2)
    assert sentence in done.output
    assert not isinstance(done.exception, Exception), done.exception


def test_a_time_that_is_none_is_refused(run: Run) -> None:
    run("add", PUBLIC, "--events", "all")
    done = run("resend", 1, "--since", "yesterday")
    assert (done.exit_code, "Not a time such as" in done.output) == (2, True)


def test_serve_sends_what_happens(run: Run, receiver: Receiver, store: Any, tmp_path: Any) -> None:
    made = run("add", receiver.url, "--events", "batch.ready", "--allow-network", LOOPBACK)
    assert made.exit_code == 0
    settings = {
        "PROMOBRIDGE_WEBHOOK_SENDERS": "1",
        "PROMOBRIDGE_WEBHOOK_KEY_FILE": str(tmp_path / "webhooks.key"),
        "PROMOBRIDGE_JOB_WORKERS": "0",
    }
    with served(tmp_path, **settings) as server:
        batch_life.make("Batch", Terms.of(), 2)
        wait_until(lambda: receiver.received, why=server.log)
        assert receiver.received[0].json["data"]["codes"] == 2

        def counted() -> bool:
            text = server.send(request_bytes("GET", "/metrics")).body
            return b'promobridge_webhook_tries_total{outcome="delivered"} 1.0' in text

        wait_until(counted)
        text = server.log()
    secret = made.stdout.split("whsec_")[1].split()[0]
    assert not any(each in text for each in (secret, "batchId", receiver.url))
    delivered = json.loads(run("deliveries", 1, "--json").stdout)
    assert [each["state"] for each in delivered] == ["delivered"]
