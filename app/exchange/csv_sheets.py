"""Read CSV files of people and spreadsheets: header, delimiter, line numbers."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

from app.exchange.csv_cells import text_of_cell
from app.exchange.csv_headings import CODE, Layout
from app.exchange.csv_text import is_text
from models.store.errors import Invalid

DELIMITERS = ",;\t"
_SEPARATOR = re.compile(r'"?sep=([^"\w])"?[,;\t ]*', re.IGNORECASE)
"""The line with which sheets say what is between the cells."""


class Record(NamedTuple):
    """Hold the cells of one record, or why it is invalid; `line` is its first, from 1."""

    line: int
    cells: list[str]
    problem: str = ""


class Sheet:
    """Read CSV from its lines, which may be ended in any way.

    The delimiter is that of a line `sep=`, else the one with which the header has a column for
    codes. A single column without a header is one of codes. Raises Invalid for a file of no use.
    """

    def __init__(self, lines: Iterable[str], layout: Layout) -> None:
        numbered = enumerate(lines, 1)
        self.remarks: list[str] = []
        number, first = next(_not_blank(numbered), (1, ""))
        delimiters = DELIMITERS
        separator = _SEPARATOR.fullmatch(first.strip(" \r\n"))
        if separator:
            delimiters = separator[1]
            number, first = next(_not_blank(numbered), (number + 1, ""))
        delimiter = _delimiter(first, delimiters, layout)
        headings = _cells(first, delimiter)
        has_header = self._has_header(number, headings, layout)
        columns = layout.checked(number, headings) if has_header else [CODE]
        self.columns = [column for column in columns if column]
        self._used = [at for at, column in enumerate(columns) if column]
        self._width = len(columns)
        if has_header and "" in columns:
            pairs = zip(headings, columns, strict=True)
            ignored = [heading.strip() for heading, column in pairs if not column]
            self.remarks.append(f"Columns that are left out: {', '.join(ignored)}")
        self._before = number - 1
        rest = (line for _, line in numbered)
        self._reader = csv.reader(chain([first], rest), delimiter=delimiter, strict=True)
        if has_header:
            next(self._reader)

    def _has_header(self, line: int, headings: Sequence[str], layout: Layout) -> bool:
        if layout.header is not None or len(headings) != 1 or layout.renamed:
            return layout.header is not False
        (only,) = headings
        if CODE in layout.columns(headings):
            return True
        if layout.is_heading(only):
            raise Invalid(
                f"line {line}: must be a header with a column {CODE}: if {only.strip()} is a "
                f'heading, --map "{only.strip()}={CODE}" says so; if it is a code, --no-header'
            )
        self.remarks.append(f"Line {line} is read as a code: the file has no header")
        return False

    def records(self) -> Iterator[Record]:
        """Yield the records after the header, blank ones left out. Raises Invalid."""
        while True:
            line = self._before + self._reader.line_num + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error as problem:
                if self._before + self._reader.line_num > line:
                    # Where the next record begins, nobody can tell.
                    raise Invalid(f"line {line}: has a quote that is not closed") from None
                yield Record(line, [], f"is not CSV: {problem}")
                continue
            if any(map(str.strip, cells)):
                yield self._record(line, cells)

    def _record(self, line: int, cells: Sequence[str]) -> Record:
        if len(cells) != self._width:
            return Record(line, [], f"has {len(cells)} cells, not {self._width}")
        used = [cells[at] for at in self._used]
        for column, cell in zip(self.columns, used, strict=True):
            if not cell.isascii() and not is_text(cell):
                problem = "has bytes that are no text: say with --encoding what the file is in"
                return Record(line, [], f"{column}: {problem}")
        return Record(line, [*map(text_of_cell, used)])


def _not_blank(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in lines if line.strip(f"{DELIMITERS} \r\n"))


def _delimiter(line: str, delimiters: str, layout: Layout) -> str:
    """Return the delimiter that makes most of a line: a column for codes, else the most cells."""
    cells = {each: _cells(line, each) for each in delimiters}
    return max(cells, key=lambda each: (CODE in layout.columns(cells[each]), len(cells[each])))


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([line], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return []
    return [*map(text_of_cell, cells)]
