"""promobridge webhook: who is told of events, what was delivered, and the process that sends."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import click

from app import config
from app.cli import webhook_deliver
from app.cli.lines import put_line
from app.cli.output import ID, fields_of, printed, time_text
from app.rest.fields import Timestamp
from app.webhooks import outgoing, secrets, sending
from app.webhooks.messages import test_event
from app.webhooks.secrets import Seal
from models.store import visibility
from models.store.errors import Invalid
from models.webhooks import deliveries, webhooks
from models.webhooks.deliveries import Due, WebhookDelivery
from models.webhooks.webhooks import EVENTS, FORMATS, GAMIFYHOST, REDEEMED, STANDARD, Webhook

COLUMNS = ("id", "url", "events", "format", "environment", "partner", "state")
DELIVERY_COLUMNS = ("sequence", "event", "event_id", "at", "state", "tries", "last", "next_at")
EXAMPLES = """\b
Examples:
  promobridge webhook add https://shop.example/hooks --events code.redeemed,code.released
  promobridge webhook test 1
  promobridge webhook deliveries 1 --state failed
  promobridge webhook resend 1 --since 2030-12-01T00:00:00Z
"""


@click.group(name="webhook", epilog=EXAMPLES)
def command() -> None:
    """Tell other systems of events: redeemed codes, batches that are ready, ended campaigns."""


command.add_command(webhook_deliver.command)
webhook_id = click.argument("webhook_id", metavar="ID", type=ID)


@command.command(
    epilog="\b\nExamples:\n"
    "  promobridge webhook add https://shop.example/hooks --events code.redeemed --full-codes\n"
    "  promobridge webhook add https://game.example/hooks --format gamifyhost --partner acme\n"
    "  promobridge webhook add http://10.0.0.7/hooks --events all --allow-network 10.0.0.0/24"
)
@click.argument("url")
@click.option(
    "--events",
    default="",
    metavar="NAMES",
    help=f"Which events, commas between them, or all: {', '.join(EVENTS)}.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default=STANDARD,
    show_default=True,
    help="The form of requests: Standard Webhooks, or that of GamifyHost's points.awarded.",
)
@click.option("--full-codes", is_flag=True, help="Tell codes in full; without it they are masked.")
@click.option("--test", is_flag=True, help="Of the TEST environment, not LIVE.")
@click.option("--partner", help="Only of this partner's campaigns; without it, of everything.")
@click.option(
    "--allow-network",
    "networks",
    multiple=True,
    metavar="CIDR",
    help="A network that is not public where the receiver may lie, by plain http too.",
)
@printed()
def add(
    url: str,
    events: str,
    form: str,
    full_codes: bool,
    test: bool,
    partner: str | None,
    networks: tuple[str, ...],
) -> dict[str, Any]:
    """Make a webhook; its secret is shown this once, and kept sealed.

    What happens from now on is sent by `promobridge serve`.
    """
    allowed = [_network(each) for each in networks]
    outgoing.check_url(url, [ip_network(each) for each in allowed])
    default = REDEEMED if form == GAMIFYHOST else ""
    named = [name for name in (events or default).replace(" ", "").split(",") if name]
    secret = secrets.new()
    made = webhooks.add(
        url,
        EVENTS if named == ["all"] else named,
        _seal().sealed(secret),
        visibility.TEST if test else visibility.LIVE,
        partner,
        format=form,
        full_codes=full_codes,
        networks=allowed,
    )
    return {"id": made.id, "secret": secret} | _described(made)


@command.command(name="list", epilog="Example: promobridge webhook list --json")
@printed(*COLUMNS)
def list_() -> list[dict[str, Any]]:
    """List the webhooks of all partners; why one is disabled stands in its state."""
    return [_described(each) for each in webhooks.listed()]


@command.command(epilog="Example: promobridge webhook test 1")
@webhook_id
@printed()
def test(webhook_id: int) -> dict[str, Any]:
    """Send a test to a webhook now and say how it went; exit status 1 where it failed."""
    webhook = webhooks.by_id(webhook_id)
    event = test_event(webhook)
    answer = sending.send(webhook, Due(WebhookDelivery(id=0), event), _seal())
    if answer.problem:
        raise Invalid(f"The webhook did not receive it: {answer.problem}", "webhook_failed")
    return {"received": True, "status": answer.status, "ms": round(answer.seconds * 1000)}


@command.command(epilog="Example: promobridge webhook rotate 1 --json")
@webhook_id
@printed()
def rotate(webhook_id: int) -> dict[str, Any]:
    """Give a webhook another secret, shown this once; for a day the old one signs too."""
    secret = secrets.new()
    webhook = webhooks.rotate(webhook_id, _seal().sealed(secret))
    return {
        "id": webhook.id,
        "secret": secret,
        "old_secret_until": time_text(webhook.old_secret_until),
    }


@command.command(epilog="Example: promobridge webhook disable 1")
@webhook_id
@printed()
def disable(webhook_id: int) -> dict[str, Any]:
    """Send nothing to a webhook until it is enabled."""
    return _described(webhooks.disable(webhook_id, "An operator has disabled it"))


@command.command(epilog="Example: promobridge webhook enable 1")
@webhook_id
@printed()
def enable(webhook_id: int) -> dict[str, Any]:
    """Send to a webhook again. What it was not sent meanwhile comes by `webhook resend`."""
    return _described(webhooks.enable(webhook_id))


@command.command(epilog="Example: promobridge webhook remove 1")
@webhook_id
@printed()
def remove(webhook_id: int) -> dict[str, Any]:
    """Delete a webhook, and with it what is on its way."""
    return _described(deliveries.remove(webhook_id))


@command.command(
    name="deliveries",
    epilog="\b\nExamples:\n"
    "  promobridge webhook deliveries 1\n"
    "  promobridge webhook deliveries 1 --state failed --json\n"
    "  promobridge webhook deliveries 1 --before 4711",
)
@webhook_id
@click.option("--state", type=click.Choice(deliveries.STATES), help="Only those in this state.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many."
)
@click.option("--before", type=ID, metavar="SEQUENCE", help="Only events older than this one.")
@printed(*DELIVERY_COLUMNS)
def deliveries_(
    webhook_id: int, state: str | None, limit: int, before: int | None
) -> list[dict[str, Any]]:
    """List what was sent to a webhook in the last 30 days, the newest event first."""
    webhooks.by_id(webhook_id)
    return [_delivery(*each) for each in deliveries.page(webhook_id, before, limit, state or "")]


@command.command(
    epilog="\b\nExamples:\n"
    "  promobridge webhook resend 1 --since 2030-12-01T00:00:00Z\n"
    "  promobridge webhook resend 1 --since 2030-12-01T00:00:00Z --all\n"
    "  promobridge webhook resend 1 --event 0f8fad5b-d9cb-469f-a165-70867728950e"
)
@webhook_id
@click.option("--since", metavar="TIME", help="What was not received of this moment and later.")
@click.option("--all", "everything", is_flag=True, help="Also what was received.")
@click.option("--event", metavar="EVENT_ID", help="This one event, whatever became of it.")
@printed()
def resend(
    webhook_id: int, since: str | None, everything: bool, event: str | None
) -> dict[str, Any]:
    """Send events again, also those of the time when a webhook was disabled."""
    if (since is None) == (event is None):
        raise click.UsageError("Give either --since or --event")
    webhook = webhooks.by_id(webhook_id)
    if event is not None:
        deliveries.resend_one(webhook, event)
        return {"resent": 1}
    count = deliveries.resend(webhook, _moment(since or ""), everything)
    if count == deliveries.RESENT:
        put_line("There may be more: ask again when these are sent", err=True)
    return {"resent": count}


def _seal() -> Seal:
    return Seal(config.from_environment())


def _moment(text: str) -> int:
    from marshmallow import ValidationError

    try:
        return int(Timestamp().deserialize(text) or 0)
    except ValidationError as problem:
        raise click.BadParameter(str(problem.messages[0]), param_hint="--since") from None


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as problem:
        raise click.BadParameter(
            f"{problem}; a network is 10.0.0.0/24 or fd00::/8", param_hint="--allow-network"
        ) from None


def _described(webhook: Webhook) -> dict[str, Any]:
    failing = webhook.failing_since is not None
    state = f"failing since {time_text(webhook.failing_since)}" if failing else "enabled"
    if not webhook.enabled:
        state = f"disabled: {webhook.disabled_why or 'by an operator'}"
    return fields_of(
        webhook,
        (*COLUMNS, "uuid", "full_codes", "networks", "created_at"),
        environment=visibility.environment_name(webhook.environment),
        state=state,
    )


def _delivery(delivery: WebhookDelivery, event: Any) -> dict[str, Any]:
    told = [each | {"at": time_text(each["at"])} for each in delivery.told]
    last = None
    if told:
        last = told[-1]["problem"] or "{status} in {ms} ms".format(**told[-1])
    return {
        "sequence": event.id,
        "event": event.kind,
        "event_id": event.uuid,
        "at": time_text(event.at),
        "state": delivery.state,
        "tries": delivery.tries,
        "last": last,
        "next_at": time_text(delivery.next_try_at),
        "log": told,
    }
