"""Cells of CSV files that a spreadsheet must not run as formulas."""

from __future__ import annotations

import re

_RISKY = re.compile(r"'*\s*[=+\-@\t\r\n＝＋－＠]")  # noqa: RUF001  # some spreadsheets take wide ones


def defused(text: str) -> str:
    """Return a text with an apostrophe before it where a spreadsheet would run it.

    One that has such an apostrophe already gets another, so that `plain` finds the text again.
    """
    return f"'{text}" if _RISKY.match(text) else text


def plain(cell: str) -> str:
    """Return the text that a cell stands for."""
    return cell[1:] if cell.startswith("'") and _RISKY.match(cell) else cell
