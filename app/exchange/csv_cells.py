"""Write CSV, and escape cells that a spreadsheet would run, or read as other than text."""

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
_KEPT = re.compile(r'="((?:[^"]|"")*)"')
_WORD = re.compile(r"[^\W\d_]+")
_LOGICAL = ("TRUE", "FALSE")
_UNSAFE = frozenset("=@\";'＝＠﹦﹫")  # noqa: RUF001  # wide and small signs are meant
"""What is not put into the text of a formula, be it that a sheet splits the line elsewhere."""
BOM = "\ufeff".encode()
"""What tells Excel that a file is UTF-8."""


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


def excel_text(text: str) -> str:
    """Return the text as `="…"` where Excel would read a number, a date or a truth value.

    It then stands in its cell letter for letter. Others are as `escape_formula` returns them.
    """
    signed = escape_formula(text) != text
    if not (signed or _means_more(text)) or not text.isprintable() or _UNSAFE & {*text}:
        return escape_formula(text)
    return f'="{text}"'


def text_of_cell(cell: str) -> str:
    """Return the text that `escape_formula` or `excel_text` made the cell of."""
    if cell.startswith('="'):
        kept = _KEPT.fullmatch(cell)
        if kept:
            return kept[1].replace('""', '"')
    return unescape_formula(cell)


def _means_more(text: str) -> bool:
    """Tell whether a sheet may take a text for more than text, in whatever language.

    A number or a date has digits, and one word beside them (`1E5`, `MAR-1`, `5 PM`), or some with
    blanks between them (`5 MAR 2026 2 PM`).
    """
    if not any(map(str.isdigit, text)):
        return text.strip().upper() in _LOGICAL
    return len(_WORD.findall(text)) <= (2 if " " in text.strip() else 1)


def csv_bytes(rows: Iterable[Iterable[Any]]) -> bytes:
    """Return rows as CSV in UTF-8; their cells are written as they are."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
