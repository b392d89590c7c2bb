"""Write CSV, and escape cells that a spreadsheet would run as formulas."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from typing import Any

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


def csv_bytes(rows: Iterable[Iterable[Any]]) -> bytes:
    """Return rows as CSV in UTF-8; their cells are written as they are."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
