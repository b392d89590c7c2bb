"""CSV responses, streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flask import Response, request
from peewee import chunked

from app.exchange.csv_cells import csv_bytes, escape_formula
from app.rest.envelope import JSON_TYPE

CSV_TYPE = "text/csv"
CSV_SCHEMA = {"type": "string"}
ROWS_IN_CHUNK = 2000
Rows = Iterable[Iterable[Any]]
OnEnd = Callable[[bool], object]
"""Is told at the end of a response whether all rows were sent."""


def is_preferred() -> bool:
    """Tell whether the client asks for CSV rather than JSON."""
    return request.accept_mimetypes.best_match([JSON_TYPE, CSV_TYPE]) == CSV_TYPE


def csv_response(name: str, rows: Rows, on_end: OnEnd = lambda complete: None) -> Response:
    """Return rows as the download NAME.csv."""
    response = Response(_streamed(rows, on_end), mimetype=CSV_TYPE)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _streamed(rows: Rows, on_end: OnEnd) -> Iterator[bytes]:
    complete = False
    cells = (["" if cell is None else escape_formula(str(cell)) for cell in row] for row in rows)
    try:
        for some in chunked(cells, ROWS_IN_CHUNK):
            yield csv_bytes(some)
        complete = True
    finally:
        on_end(complete)
