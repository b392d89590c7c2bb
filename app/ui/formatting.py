"""Write numbers, money and times as people read them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from flask import Flask, current_app
from markupsafe import Markup

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""In English on every machine, whatever its locale."""


def init_app(app: Flask) -> None:
    """Offer these functions to templates as filters of their names."""
    for function in (number, money, day, moment, plural):
        app.add_template_filter(function)


def number(value: int) -> str:
    """Return a whole number with its thousands apart: 1,204."""
    return f"{value:,}"


def money(value: Decimal | None) -> str:
    """Return an amount with the decimals of the installation's currency, "" for none."""
    if value is None:
        return ""
    return f"{value:,.{current_app.config['SETTINGS'].amount_places}f}"


def day(value: date | None) -> str:
    """Return a day as 31 Dec 2030, "" for none."""
    return "" if value is None else f"{value.day} {MONTHS[value.month - 1]} {value.year}"


def moment(value: int | None) -> Markup:
    """Return Unix seconds as an HTML time in the installation's zone, which it names."""
    if value is None:
        return Markup()
    there = datetime.fromtimestamp(value, ZoneInfo(current_app.config["SETTINGS"].timezone))
    exact = datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Markup('<time datetime="{}">{} {:%H:%M} {}</time>').format(
        exact, day(there.date()), there, there.tzname()
    )


def plural(count: int, one: str, many: str = "") -> str:
    """Return a count with its noun: 1 code, 2 codes."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"
