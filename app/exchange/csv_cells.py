"""Escape CSV cells that a spreadsheet would run as formulas."""

from __future__ import annotations

import re

# Blanks before the sign do not keep a spreadsheet from running it, nor do wide signs.
_FORMULA = re.compile(r"'*\s*[=+\-@\t\r\n＝＋－＠]")  # noqa: RUF001  # wide signs are meant


def escape_formula(text: str) -> str:
    """Return the text with an apostrophe before it if a spreadsheet would run it.

    A text that has such an apostrophe already gets another, so that `unescape_formula` undoes it.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unescape_formula(cell: str) -> str:
    """Return the text that `escape_formula` made the cell of."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
