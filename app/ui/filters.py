"""Filters of lists, which stand in the address: what is nonsense there filters nothing out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any

from flask import request

from app.ui import store
from models.store import clock

LARGEST = 2**31 - 1
TEXT_LENGTH = 255


class Filters:
    """Read the filters that the address of this request names.

    `texts` are those that are set, for fields and links; `wrong` says what could not be read.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.texts = {
            name: text
            for name in names
            if (text := request.args.get(name, "").strip()[:TEXT_LENGTH].replace("\0", ""))
        }
        self.wrong: dict[str, str] = {}

    def number(self, name: str) -> int | None:
        """Return a filter that is a number."""
        text = self.texts.get(name, "")
        if not text:
            return None
        digits = text.isascii() and text.isdecimal() and len(text) <= len(str(LARGEST))
        if digits and int(text) <= LARGEST:
            return int(text)
        self.wrong[name] = "This must be a number."
        return None

    def text(self, name: str) -> str | None:
        """Return a filter that is a text."""
        text = self.texts.get(name)
        return text.encode(errors="replace").decode() if text else None

    def day(self, name: str) -> date | None:
        """Return a filter that is a day."""
        text = self.texts.get(name, "")
        if not text:
            return None
        try:
            return date.fromisoformat(text)
        except ValueError:
            self.wrong[name] = "This must be a day like 2030-12-31."
            return None

    def since(self, name: str = "since") -> int | None:
        """Return the first moment of a day, in Unix seconds."""
        found = self.day(name)
        return None if found is None else _midnight(found)

    def before(self, name: str = "until") -> int | None:
        """Return the first moment after a day, in Unix seconds."""
        found = self.day(name)
        if found is None or found == date.max:
            return None
        return _midnight(found + timedelta(days=1))

    def period(self, moment: Any) -> list[Any]:
        """Return what rows must meet whose moment is in the days `since` to `until`."""
        since, before = self.since(), self.before()
        found = [moment >= since] if since is not None else []
        return found + ([moment < before] if before is not None else [])

    def conditions(self, **columns: Any) -> list[Any]:
        """Return what rows must meet whose columns have the values of the filters of these names.

        A column of numbers is a number's, any other a text's.
        """
        found = []
        for name, column in columns.items():
            is_number = column.field_type in ("INT", "BIGINT", "SMALLINT")
            value = self.number(name) if is_number else self.text(name)
            if value is not None:
                found.append(column == value)
        return found


def narrowed(query: Any, conditions: Sequence[Any]) -> Any:
    """Return a query of the rows that meet all conditions, if there are any."""
    return query.where(*conditions) if conditions else query


def _midnight(day: date) -> int:
    return clock.midnight(day, store.caller().zone)
