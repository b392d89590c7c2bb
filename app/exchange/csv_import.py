"""Import own codes from CSV: check every line, then store all of them or none."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from typing import Any, BinaryIO, NamedTuple, TextIO

from marshmallow import ValidationError

from app.exchange.csv_sheets import Record, Sheet, line_count
from app.exchange.terms_texts import arguments
from calls.wire import editing, schemas
from models.imports.own_codes import Intake, OwnCode
from models.promotions import batches, coupons
from models.promotions.coupons import ALONE
from models.promotions.terms import Terms
from models.store.base import change
from models.store.errors import Conflict, Invalid

CODE, STATUS = "code", "status"
COLUMNS = (CODE, STATUS, *editing.TermsChange._declared_fields)
"""Every column that a file may have: the arguments of addPromoCode, and max_usage."""
LINES = 1000
"""Lines that are checked and stored at once."""
KEPT_TERMS = 50_000
"""How many lines with different terms are remembered."""
NAMED = 100
"""Problems that are named; the rest is counted."""
LIVE = {"": True, schemas.ACTIVE: True, schemas.ARCHIVED: None}


@dataclass
class Outcome:
    """Count what became of the lines of a file."""

    read: int = 0
    stored: int = 0
    bad: int = 0
    problems_count: int = 0
    problems: list[str] = field(default_factory=list)

    def refuse(self, line: int, reasons: Sequence[str]) -> None:
        """Count a bad line and note what is wrong with it."""
        self.bad += 1
        self.problems_count += len(reasons)
        room = NAMED - len(self.problems)
        self.problems += [f"line {line}: {reason}" for reason in reasons[:room]]


class Decided(NamedTuple):
    """Hold what the cells about terms come to: terms, or problems."""

    terms_id: int
    active: bool
    problems: tuple[str, ...] = ()


class Checked(NamedTuple):
    """Hold what some lines come to: terms that were not met before, codes by line, problems."""

    terms: list[dict[str, Any]]
    codes: list[OwnCode]
    lines: list[int]
    bad: dict[int, list[str]]


class Lines:
    """Turn the records of a sheet into codes; `given` are loaded arguments that stand for all."""

    def __init__(self, sheet: Sheet, held: Terms, given: Mapping[str, Any], today: date) -> None:
        unknown = [name for name in sheet.columns if name not in COLUMNS]
        if unknown:
            raise Invalid(
                f"line 1: there is no column {', '.join(unknown)}; there are {', '.join(COLUMNS)}"
            )
        self._held = held
        self._given = given
        self._today = today
        self._code_at = sheet.columns.index(CODE)
        self._status_at = sheet.columns.index(STATUS) if STATUS in sheet.columns else None
        self._places = [
            (name, at) for at, name in enumerate(sheet.columns) if name not in (CODE, STATUS)
        ]
        self._decided: dict[tuple[str, ...], Decided] = {}
        self._drafts: list[dict[str, Any]] = []
        self._schema = editing.TermsChange()

    def checked(self, records: Sequence[Record]) -> Checked:
        """Return what the next records come to."""
        checked = Checked([], [], [], {})
        for record in records:
            code = self._code(record)
            if isinstance(code, OwnCode):
                checked.codes.append(code)
                checked.lines.append(record.line)
            else:
                checked.bad[record.line] = code
        drafts, self._drafts = self._drafts, []
        return checked._replace(terms=drafts)

    def _code(self, record: Record) -> OwnCode | list[str]:
        """Return the code of a record, or what is wrong with it."""
        if record.problem:
            return [record.problem]
        code = record.cells[self._code_at]
        status = "" if self._status_at is None else record.cells[self._status_at]
        key = tuple(record.cells[at] for _, at in self._places)
        decided = self._decided.get(key) or self._decide(key)
        problems = [*_code_problems(code), *decided.problems]
        if status not in LIVE:
            problems.append(f"{STATUS}: must be {schemas.ACTIVE} or {schemas.ARCHIVED}")
        return problems or OwnCode(code, LIVE[status], decided.active, decided.terms_id)

    def _decide(self, key: tuple[str, ...]) -> Decided:
        if len(self._decided) >= KEPT_TERMS:
            self._decided.clear()
        cells = {name: cell for (name, _), cell in zip(self._places, key, strict=True)}
        try:
            given = {**self._given, **self._schema.load(arguments(cells))}
            wrong = editing.problems(self._held, given)
        except ValidationError as problem:
            given, wrong = {}, problem.normalized_messages()
        if not wrong and self._held.id is None and "value" not in given:
            wrong = {"value": ["is required"]}
        if wrong:
            reasons = [f"{name}: {reason}" for name, why in wrong.items() for reason in why]
            decided = Decided(0, False, tuple(reasons))
        else:
            terms = editing.drafted(self._held, given)
            self._drafts.append(terms.content())
            decided = Decided(terms.id, not terms.expired(self._today))
        self._decided[key] = decided
        return decided


def store(
    file: TextIO,
    given: Mapping[str, Any],
    today: date,
    progress: Callable[[str, int], AbstractContextManager[Callable[[int], object]]],
    *,
    batch_id: int = ALONE,
    skip_bad: bool = False,
    dry_run: bool = False,
) -> Outcome:
    """Store the codes of a file: all or none, or with `skip_bad` those that can be.

    `given` are loaded terms for codes that say nothing else, over those of the batch. `today` is
    local. Raises Invalid for a file of no use, NotFound and Conflict for such a batch.
    """
    total = line_count(file)
    sheet = Sheet(file, CODE)
    held = Terms() if batch_id == ALONE else batches.by_id(batch_id).terms
    lines = Lines(sheet, held, given, today)
    outcome = Outcome()
    with tempfile.TemporaryFile() as spool:
        # Other writers wait for the transaction alone, so all that can be done is done before.
        with progress("Checking", total) as advance:
            for some in _in_slices(sheet.records()):
                pickle.dump(lines.checked(some), spool)
                outcome.read += len(some)
                advance(len(some))
        spool.seek(0)
        with progress("Storing", outcome.read) as advance, change() as transaction:
            intake = Intake(today, batch_id)
            if batch_id != ALONE and batches.by_id(batch_id).terms_id != held.id:
                raise Conflict("The batch was changed while the file was read, try again")
            for checked in _spooled(spool):
                _put(checked, intake, outcome)
                advance(len(checked.lines) + len(checked.bad))
            intake.settle()
            if dry_run or (outcome.bad and not skip_bad):
                transaction.rollback()
    outcome.stored = 0 if outcome.bad and not skip_bad else intake.stored
    return outcome


def _put(checked: Checked, intake: Intake, outcome: Outcome) -> None:
    for content in checked.terms:
        Terms.of(**content)
    clashes = intake.put(checked.codes)
    bad = checked.bad | {checked.lines[at]: [f"{CODE}: {why}"] for at, why in clashes.items()}
    for line in sorted(bad):
        outcome.refuse(line, bad[line])


def _spooled(spool: BinaryIO) -> Iterator[Checked]:
    while True:
        try:
            yield pickle.load(spool)  # noqa: S301  # this process wrote it into a file of its own
        except EOFError:
            return


def _in_slices(records: Iterator[Record]) -> Iterator[list[Record]]:
    while some := list(islice(records, LINES)):
        yield some


def _code_problems(code: str) -> Iterator[str]:
    if not code:
        yield f"{CODE}: is required"
    elif len(code) > coupons.CODE_LENGTH:
        yield f"{CODE}: must have {coupons.CODE_LENGTH} characters at most"
    elif not code.isprintable():
        yield f"{CODE}: must be printable characters"
    elif code != code.strip():
        yield f"{CODE}: begins or ends with a blank"
