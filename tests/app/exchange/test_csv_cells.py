"""Cells of CSV: those that a spreadsheet would run are escaped, and read as they were."""

from __future__ import annotations

import pytest

from app.exchange.csv_cells import escape_formula, unescape_formula

SIGNS = "=+-@＝＋－＠"  # noqa: RUF001  # wide signs are meant
BLANKS = "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2007\u200a\u2028\u2029\u202f\u205f\u3000"
"""Tabs, ends of lines and pages, separators of ASCII, and blanks of Unicode."""


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("before", ["", *BLANKS, "  ", " \xa0\u3000", "'", "''", "' ", "'\t"])
def test_a_formula_is_escaped_whatever_is_before_it(before: str, sign: str) -> None:
    text = f"{before}{sign}1+1"
    # What follows a tab or an end of line is a part of its own.
    inner = "'" if before[-1:] in ("\t", "\r", "\n") else ""
    assert escape_formula(text) == f"'{before}{inner}{sign}1+1"
    assert unescape_formula(escape_formula(text)) == text


@pytest.mark.parametrize("text", ["\ta", "\ra", "\na", " \t", "\xa0\ra", "'\ta", "="])
def test_a_cell_that_begins_with_a_tab_or_an_end_of_line_is_escaped(text: str) -> None:
    assert escape_formula(text) == f"'{text}"
    assert unescape_formula(escape_formula(text)) == text


@pytest.mark.parametrize("end", [";", "\t", "\r", "\n", "\r\n"])
@pytest.mark.parametrize("before", ["", " ", "'", "\u200b", "\ufeff"])
def test_a_formula_after_what_may_end_a_cell_is_escaped(end: str, before: str) -> None:
    assert escape_formula(f"a{end}{before}=1") == f"a{end}'{before}=1"
    assert unescape_formula(f"a{end}'{before}=1") == f"a{end}{before}=1"


@pytest.mark.parametrize(
    "text",
    [
        *("a\r\nb", "a\n\nb", "a\t\tb", "a; b", "a, -1", "a\n'b'"),
        *("", "A=1", "1-2", "'A", "A", " a", "'", "''", " ", '"=1"', "\xa0a"),
    ],
)
def test_other_cells_stay(text: str) -> None:
    assert escape_formula(text) == text == unescape_formula(text)


@pytest.mark.parametrize(
    ("cell", "text"), [("=1", "=1"), ("'=1", "=1"), ("''=1", "'=1"), ("'a", "'a"), ("' =1", " =1")]
)
def test_a_cell_is_read_without_the_apostrophe_that_escapes_it(cell: str, text: str) -> None:
    assert unescape_formula(cell) == text
