"""Write CSV, and escape cells that a spreadsheet would run as formulas."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from typing import Any

_SIGNS = "=+\\-@＝＋－＠﹦﹢﹣﹫"  # noqa: RUF001  # wide and small signs are meant
_UNSEEN = (
    r"\x00-\x08\x0b\x0c\x0e-\x20\x7f-\xa0\xad\u061c\u1680\u180e"
    r"\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"
)
# A spreadsheet may look for a sign behind what is not seen. Where its list separator is a semicolon
# or a tab, it ends a cell at each, and a row at the end of a line that it takes for unquoted; two
# quotes after it, which stand for one in the text, are then an empty cell's that goes on.
_RUN = (
    rf"(?:\A(?='*[{_UNSEEN}]*[{_SIGNS}\t\r\n])"
    rf"|(?<=[;\t\r\n])(?=['\"{_UNSEEN}]*[{_SIGNS}]))"
)
_TO_ESCAPE = re.compile(_RUN)
_ESCAPED = re.compile(_RUN.replace("(?=", "'(?="))


def escape_formula(text: str) -> str:
    """Return the text with an apostrophe before each part that a spreadsheet would run.

    It begins with a sign (= + - @), whatever blanks, unseen characters and apostrophes are before
    it, and is the whole text or what follows a semicolon, a tab or an end of line; a text that
    begins with a tab or an end of line is one too. A part that has an apostrophe already gets
    another, so that `unescape_formula` undoes it.
    """
    return _TO_ESCAPE.sub("'", text)


def unescape_formula(cell: str) -> str:
    """Return the text that `escape_formula` made the cell of."""
    return _ESCAPED.sub("", cell)


def csv_bytes(rows: Iterable[Iterable[Any]]) -> bytes:
    """Return rows as CSV in UTF-8; their cells are written as they are."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
