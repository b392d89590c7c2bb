"""CSV responses, streamed."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flask import Response, request

from app.exchange.csv_cells import escape_formula
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
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    try:
        for number, row in enumerate(rows, 1):
            writer.writerow(["" if value is None else escape_formula(str(value)) for value in row])
            if number % ROWS_IN_CHUNK == 0:
                yield buffer.getvalue().encode()
                buffer.seek(0)
                buffer.truncate()
        yield buffer.getvalue().encode()
        complete = True
    finally:
        on_end(complete)
