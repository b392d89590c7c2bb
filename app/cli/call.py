"""promobridge call: run one legacy call through the application, without a server."""

from __future__ import annotations

import os
import sys
from typing import Any
from urllib.parse import urlencode

import click

from app import config, create_app
from app.cli.output import operator_name, typed
from models.store import audit
from models.store.base import database

EXAMPLES = """\b
Examples:
  promobridge call listPromoBatches page=0
  promobridge call listPromoCodes include_batch=1 perpage=5
  promobridge call getPromoDetailsByCode code=XO-UKFXB9618V7Q
  promobridge call addPromoCode code=TEN coupon_type=cart type=percent value=10 'cycles[]=Monthly'
\b
Exit status: 0 when the answer says "success":true, 1 when it does not, 2 wrong usage.
"""
FORM = "application/x-www-form-urlencoded"
SUCCESS = b'{"success":true'


@click.command(name="call", epilog=EXAMPLES)
@click.argument("name", metavar="NAME")
@click.argument("arguments", metavar="[KEY=VALUE]...", nargs=-1)
@click.option("--api-id", metavar="ID", help="Act as this access instead of as the operator.")
@click.option("--api-key", metavar="KEY", help="Its key; - reads it from standard input.")
@click.option("--post", is_flag=True, help="Send the arguments in a body instead of the query.")
def command(
    name: str, arguments: tuple[str, ...], api_id: str | None, api_key: str | None, post: bool
) -> None:
    """Run one legacy call in this process and print the exact body of its answer.

    Without --api-id the operator asks, who may use every call.
    """
    pairs = [(b"call", os.fsencode(name)), *map(_pair, arguments)]
    if (api_id is None) != (api_key is None):
        raise click.UsageError("--api-id and --api-key go together.")
    if api_id is not None and api_key is not None:
        pairs += [(b"api_id", os.fsencode(api_id)), (b"api_key", os.fsencode(typed(api_key)))]
    if not _run(pairs, operator=api_id is None, post=post):
        raise SystemExit(1)


def _pair(argument: str) -> tuple[bytes, bytes]:
    """Return name and value as the bytes that were typed, whatever the locale."""
    name, equals, value = argument.partition("=")
    if not equals:
        raise click.UsageError(f"An argument is KEY=VALUE, not {argument}")
    return os.fsencode(name), os.fsencode(value)


def _run(pairs: list[tuple[bytes, bytes]], operator: bool, post: bool) -> bool:
    """Print the answer piece by piece and tell whether it was a success."""
    from app.legacy.dispatcher import OPERATOR

    audit.ACTOR.set(audit.Actor(audit.COMMAND, operator_name()))
    text = urlencode(pairs)
    sent: dict[str, Any] = {"method": "GET", "query_string": text}
    if post:
        sent = {"method": "POST", "data": text, "content_type": FORM}
    app = create_app(config.from_environment(), has_rest=False)
    out = sys.stdout.buffer
    begin = b""
    try:
        answer = app.test_client().open(
            "/api.php", environ_overrides={OPERATOR: True} if operator else {}, **sent
        )
        with answer:
            for piece in answer.iter_encoded():
                begin = (begin + piece)[: len(SUCCESS)]
                out.write(piece)
        if sys.stdout.isatty():
            out.write(b"\n")
        out.flush()
    finally:
        app.config["USAGE_LOG"].close()  # its thread uses the store
        database.close_all()
    return begin == SUCCESS
