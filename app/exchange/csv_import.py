"""Import own codes from CSV: check every line, then store all of them or none."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple, TextIO

from marshmallow import ValidationError
from peewee import chunked

from app.exchange import spool
from app.exchange.csv_sheets import Record, Sheet
from app.exchange.terms_parsing import parse_terms
from calls.wire import editing, schemas
from models.imports.own_codes import OwnCode, OwnCodeImport
from models.promotions import batches
from models.promotions.coupons import ALONE
from models.promotions.terms import Terms
from models.store import visibility
from models.store.base import change
from models.store.errors import Conflict, Invalid
from models.store.texts import code_problem, new_code

CODE, STATUS = "code", "status"
COLUMNS = (CODE, STATUS, *editing.TermsChange._declared_fields)
"""Every column that a file may have: the arguments of addPromoCode, and max_usage."""
CHUNK = 1000
"""Lines that are checked and stored at once."""
KEPT_TERMS = 50_000
"""How many lines with different terms are remembered."""
NAMED = 100
"""Problems that are named; the rest is counted."""
LIVE = {"": visibility.LIVE, schemas.ACTIVE: visibility.LIVE, schemas.ARCHIVED: None}


@dataclass
class Outcome:
    """Count the lines of a file that were read, stored and bad."""

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


class TermsDecision(NamedTuple):
    """Hold the terms that the cells of a record describe, or what is wrong with them."""

    terms_id: int
    active: bool
    problems: tuple[str, ...] = ()


class Checked(NamedTuple):
    """Hold the result of some lines: terms not seen before, codes and problems by line."""

    terms: list[dict[str, Any]]
    codes: dict[int, OwnCode]
    bad: dict[int, list[str]]


class LineChecker:
    """Turn the records of a sheet into codes; `given` are loaded arguments that stand for all."""

    def __init__(self, sheet: Sheet, held: Terms, given: Mapping[str, Any], today: date) -> None:
        unknown = [name for name in sheet.columns if name not in COLUMNS]
        if unknown:
            raise Invalid(
                f"line 1: there is no column {', '.join(unknown)}; there are {', '.join(COLUMNS)}"
            )
        self._columns = sheet.columns
        self._held = held
        self._given = given
        self._today = today
        self._schema = editing.TermsChange()
        self._drafts: list[dict[str, Any]] = []
        # Measured: 1.5 µs for a line whose terms are remembered, 100 for one whose are not.
        self._decided = lru_cache(KEPT_TERMS)(self._decide)

    def checked(self, records: Sequence[Record]) -> Checked:
        """Check the next records and return the result."""
        self._drafts = []
        checked = Checked(self._drafts, {}, {})
        for record in records:
            code = self._code(record)
            if isinstance(code, OwnCode):
                checked.codes[record.line] = code
            else:
                checked.bad[record.line] = code
        return checked

    def _code(self, record: Record) -> OwnCode | list[str]:
        """Return the code of a record, or what is wrong with it."""
        if record.problem:
            return [record.problem]
        cells = dict(zip(self._columns, record.cells, strict=True))
        code, status = new_code(cells.pop(CODE)), cells.pop(STATUS, "")
        decided = self._decided(*cells.values())
        problem = code_problem(code) if code else "is required"
        problems = [*([f"{CODE}: {problem}"] if problem else []), *decided.problems]
        if status not in LIVE:
            problems.append(f"{STATUS}: must be {schemas.ACTIVE} or {schemas.ARCHIVED}")
        return problems or OwnCode(code, LIVE[status], decided.active, decided.terms_id)

    def _decide(self, *cells: str) -> TermsDecision:
        """Return the terms that the cells of a record describe, or what is wrong with them."""
        names = [name for name in self._columns if name not in (CODE, STATUS)]
        try:
            texts = dict(zip(names, cells, strict=True))
            given = {**self._given, **self._schema.load(parse_terms(texts))}
            wrong = editing.problems(self._held, given)
        except ValidationError as problem:
            given, wrong = {}, problem.normalized_messages()
        if not wrong and self._held.id is None and "value" not in given:
            wrong = {"value": ["is required"]}
        if wrong:
            reasons = [f"{name}: {reason}" for name, why in wrong.items() for reason in why]
            return TermsDecision(0, False, tuple(reasons))
        terms = editing.drafted(self._held, given)
        self._drafts.append(terms.content())
        return TermsDecision(terms.id, not terms.expired(self._today))


def store(
    file: TextIO,
    given: Mapping[str, Any],
    today: date,
    progress: Callable[[str, int | None], AbstractContextManager[Callable[[int], object]]],
    *,
    batch_id: int = ALONE,
    skip_bad: bool = False,
    dry_run: bool = False,
) -> Outcome:
    """Store the codes of a file: all or none, or with `skip_bad` those that can be.

    `given` are loaded terms for codes that say nothing else, over those of the batch. `today` is
    local. Raises Invalid for a file of no use, NotFound and Conflict for such a batch.
    """
    sheet = Sheet(file, CODE)
    held = Terms() if batch_id == ALONE else batches.by_id(batch_id).terms
    checker = LineChecker(sheet, held, given, today)
    outcome = Outcome()
    with tempfile.TemporaryFile() as spooled:
        # Other writers wait for the transaction alone, so all that can be done is done before.
        with progress("Checking", None) as advance:
            for some in chunked(sheet.records(), CHUNK):
                spool.add(spooled, checker.checked(some))
                outcome.read += len(some)
                advance(len(some))
        with progress("Storing", outcome.read) as advance, change() as transaction:
            own_codes = OwnCodeImport(today, batch_id)
            if batch_id != ALONE and batches.by_id(batch_id).terms_id != held.id:
                raise Conflict("The batch was changed while the file was read, try again")
            for checked in spool.items(spooled):
                for content in checked.terms:
                    Terms.of(**content)
                clashes = own_codes.put(checked.codes)
                bad = checked.bad | {line: [f"{CODE}: {why}"] for line, why in clashes.items()}
                for line in sorted(bad):
                    outcome.refuse(line, bad[line])
                advance(len(checked.codes) + len(checked.bad))
            own_codes.settle()
            if dry_run or (outcome.bad and not skip_bad):
                transaction.rollback()
    outcome.stored = 0 if outcome.bad and not skip_bad else own_codes.stored
    return outcome
