"""Cells of CSV: those that a spreadsheet would run are defused, and read as they were."""

from __future__ import annotations

import pytest

from app.exchange.csv_cells import defused, plain


@pytest.mark.parametrize(
    "text", ["=1", "+1", "-1", "@a", "\ta", "\ra", "\n=", "  =1", " \t", "'=1"]
)
def test_a_cell_that_a_spreadsheet_would_run_is_defused(text: str) -> None:
    assert defused(text) == f"'{text}"
    assert plain(defused(text)) == text


@pytest.mark.parametrize("text", ["", "A=1", "1-2", "'A", "A", " a", "'"])
def test_other_cells_stay(text: str) -> None:
    assert defused(text) == text == plain(text)
