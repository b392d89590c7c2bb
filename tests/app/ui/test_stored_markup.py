"""Markup in every text that the store keeps: pages show it as text, and run none of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask
from peewee import CharField, TextField

from models.redemptions.redemption import Redemption
from models.redemptions.redemption_search import ABOVE_ALL
from models.store.base import DecimalText, Row
from tests import filled
from tests.app.ui.crawl import crawled
from tests.app.ui.people import Person

MARKUP = "<script>a({0})</script>\"'><img src=x onerror=a({0})>"
RUNS = (b"<script>a(", b"<img src=x")
OURS = {
    # What our own code alone writes: words of few, digests, forms that look-ups compare.
    *("status", "state", "route", "mode", "previous", "role", "actor_kind", "subject_kind"),
    *("coupon_type", "type", "value", "applyto", "cycle", "form", "uuid", "undo", "config"),
    *("digest", "key_salt", "key_digest", "password", "share", "scope", "folder", "kind"),
}
UNSEEN = {"Tally", "Sweep", "OwnIds", "PageSession", "PageInvite", "ReplyShare", "JobQueue"}
"""Tables that no page reads a text of."""


def tables(of: type[Row] = Row) -> Iterator[type[Row]]:
    """Yield all tables of the store."""
    for table in of.__subclasses__():
        yield table
        yield from tables(table)


def marked(value: Any, number: int) -> Any:
    """Return a stored value with markup in the place of each text."""
    if isinstance(value, dict):
        return {key: marked(each, number) for key, each in value.items()}
    if isinstance(value, list):
        return [marked(each, number) for each in value]
    return MARKUP.format(number) if isinstance(value, str) else value


def mark_all() -> set[str]:
    """Write markup into each text of each row; return the names of the columns that had one."""
    written = set()
    for table in tables():
        if table.__name__ in UNSEEN:
            continue
        for field in table._meta.sorted_fields:
            is_text = isinstance(field, CharField | TextField) and not isinstance(
                field, DecimalText
            )
            is_key = table.__name__ == "Access" and field.name == "api_id"  # it is in addresses
            if not is_text or field.name in OURS or is_key:
                continue
            for number, row in enumerate(table.select(), 1):
                value = getattr(row, field.name)
                new = marked(value, number)
                if value and new != value:
                    same = table._meta.primary_key == row._pk
                    table.update({field: new}).where(same).execute()
                    written.add(f"{table.__name__}.{field.name}")
    return written


def test_no_page_runs_what_is_stored(app: Flask, store: object, tmp_path: Path) -> None:
    filled.fill(tmp_path, app)
    app.config["USAGE_LOG"].close()
    admin = Person(app, "admin")
    Redemption.delete().where(Redemption.id >= ABOVE_ALL).execute()
    written = mark_all()
    assert written >= {
        *("Batch.name", "Batch.notes", "Terms.notes", "Coupon.code", "Campaign.name"),
        *("Redemption.user_id", "AuditEntry.subject", "AuditEntry.after", "ApiUsage.message"),
        *("RefusedTry.user_id", "Access.name", "Secret.name", "PanelDifference.theirs"),
    }
    shown = 0
    for address in crawled(admin):
        page = admin.get(address, follow_redirects=True).data
        assert not [text for text in RUNS if text in page], address
        shown += page.count(b"&lt;script&gt;a(")
    assert shown > 50
