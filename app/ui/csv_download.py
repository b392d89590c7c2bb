"""CSV downloads, made row by row as they are sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

from flask import Response, stream_with_context

from app.exchange.csv_cells import csv_bytes, escape_formula

ROWS = 500
"""Rows that are sent at once."""
CSV_TYPE = "text/csv; charset=utf-8"


def of_rows(name: str, headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> Response:
    """Return the download of rows under headings; what a spreadsheet would run is defused."""
    lines = chain([headings], ([_cell(cell) for cell in row] for row in rows))
    return of_pieces(name, _pieces(lines))


def of_pieces(name: str, pieces: Iterable[bytes]) -> Response:
    """Return the download of CSV that is made elsewhere."""
    sent = Response(stream_with_context(iter(pieces)), content_type=CSV_TYPE)
    sent.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return sent


def _pieces(lines: Iterator[Sequence[Any]]) -> Iterator[bytes]:
    while some := list(islice(lines, ROWS)):
        yield csv_bytes(some)


def _cell(value: Any) -> Any:
    # Numbers are meant as numbers, also in a sheet.
    return value if isinstance(value, int) else escape_formula("" if value is None else str(value))
