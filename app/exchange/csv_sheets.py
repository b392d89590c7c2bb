"""Read CSV files of people and spreadsheets: header, delimiter, line numbers."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple, TextIO

from app.exchange.csv_cells import unescape_formula
from models.store.errors import Invalid

DELIMITERS = ",;\t"
LINE_CHARACTERS = 1_048_576
"""The longest line: what has none at all is not read into memory."""


class Record(NamedTuple):
    """Hold the cells of one record, or why it is invalid; `line` is its first, from 1."""

    line: int
    cells: list[str]
    problem: str = ""


class Sheet:
    """Read a CSV file in UTF-8, with or without BOM, its lines ended in any way.

    The delimiter is the one with which the first line has the column `needed`. Bytes that are not
    UTF-8 become lone surrogates, which are no text. Raises Invalid for a file of no use.
    """

    def __init__(self, file: TextIO, needed: str) -> None:
        lines = _lines(file)
        first = next(lines, "")
        delimiter = next((each for each in DELIMITERS if needed in _names(first, each)), None)
        if delimiter is None:
            raise Invalid(f"line 1: must be a header with a column {needed}")
        self.columns = _names(first, delimiter)
        if len(set(self.columns)) < len(self.columns) or "" in self.columns:
            raise Invalid("line 1: every column must have a name of its own")
        self._reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
        next(self._reader)

    def records(self) -> Iterator[Record]:
        """Yield the records after the header, empty ones left out. Raises Invalid."""
        while True:
            line = self._reader.line_num + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as problem:
                if self._reader.line_num > line:
                    # Where the next record begins, nobody can tell.
                    raise Invalid(f"line {line}: has a quote that is not closed") from None
                yield Record(line, [], f"is not CSV: {problem}")
                continue
            if any(cells):
                yield self._record(line, cells)

    def _record(self, line: int, cells: Sequence[str]) -> Record:
        if len(cells) != len(self.columns):
            return Record(line, [], f"has {len(cells)} cells, not {len(self.columns)}")
        return Record(line, [unescape_formula(cell) for cell in cells])


def opened(path: str) -> TextIO:
    """Open a file of text, `-` being standard input. Raises Invalid."""
    piped = path == "-"
    try:
        return open(
            0 if piped else path,
            encoding="utf-8-sig",
            errors="surrogateescape",
            newline="",
            closefd=not piped,
        )
    except OSError as problem:
        raise Invalid(f"{path} cannot be read: {problem.strerror}") from None


def _lines(file: TextIO) -> Iterator[str]:
    for number, line in enumerate(iter(lambda: file.readline(LINE_CHARACTERS), ""), 1):
        if len(line) == LINE_CHARACTERS:
            raise Invalid(f"line {number}: is longer than {LINE_CHARACTERS:,} characters")
        yield line


def _names(line: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return []
    return [cell.strip().lower() for cell in cells]
