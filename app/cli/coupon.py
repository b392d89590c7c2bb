"""promobridge coupon: look at single coupons."""

from __future__ import annotations

import click

from app.cli import facts
from app.cli.output import as_json, put_fields, put_json, store
from models import coupons
from models.errors import NotFound


@click.group(name="coupon")
def command() -> None:
    """Show single coupons."""


@command.command(epilog="Example: promobridge coupon show XO-UKFXB9618V7Q")
@click.argument("code")
@as_json
def show(code: str, as_json: bool) -> None:
    """Show the live coupon with this code, else the newest archived one."""
    with store():
        try:
            found = facts.of_coupon(coupons.by_code(code))
        except UnicodeEncodeError:
            # Bytes of the command line that are not UTF-8: no store holds them.
            raise NotFound(coupons.NO_SUCH_CODE) from None
    if as_json:
        put_json(found)
    else:
        put_fields(facts.lines(found))
