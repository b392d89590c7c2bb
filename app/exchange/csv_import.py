"""Import own codes from CSV: check every line, then store all of them or none."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, date, tzinfo
from functools import lru_cache
from typing import Any, NamedTuple

from marshmallow import ValidationError
from peewee import chunked

from app.exchange import spool
from app.exchange.csv_days import day_text
from app.exchange.csv_headings import CODE, Layout
from app.exchange.csv_sheets import Record, Sheet
from app.exchange.csv_text import UTF_8, Lines
from app.exchange.terms_parsing import parse_terms
from calls.wire import editing, schemas
from models.imports import own_codes
from models.imports.own_codes import OwnCode, OwnCodeImport
from models.promotions import batches
from models.promotions.coupons import ALONE
from models.promotions.terms import UNLIMITED, Terms
from models.store import visibility
from models.store.base import change
from models.store.errors import Conflict
from models.store.texts import code_problem, new_code

STATUS, ACTIVE, USES = "status", "active", "uses"
COLUMNS = (CODE, STATUS, ACTIVE, USES, *editing.TermsChange._declared_fields)
"""Every column that a file may have: what an export says of a code, then what addPromoCode takes,
and max_usage."""
AS_EXPORTED = Layout(COLUMNS)
"""The layout of a file with these names in its header, or of a list of codes."""
CHUNK = 1000
"""Lines that are checked and stored at once."""
KEPT_TERMS = 50_000
"""How many lines with different terms are remembered."""
NAMED = 100
"""Problems that are named; the rest is counted."""
LIVE = {
    "": visibility.LIVE,
    schemas.ACTIVE.casefold(): visibility.LIVE,
    schemas.ARCHIVED.casefold(): None,
}
SWITCH = {
    "": None,
    **dict.fromkeys(("1", "yes", "true", "on"), True),
    **dict.fromkeys(("0", "no", "false", "off"), False),
}
DAMAGED = re.compile(
    r"[0-9]([.,][0-9]+)?e\+[0-9]{2,3}|[0-9][.,][0-9]+e-[0-9]{2,3}|#{3,}"
    r"|#(NAME\?|REF!|VALUE!|N/A|NUM!|NULL!|DIV/0!|SPILL!)",
    re.IGNORECASE,
)
"""What a sheet writes for a long number, for what does not fit its column, and for an error."""
ADVICE = {own_codes.STAYS_LIVE: ": promobridge coupon revoke CODE does"}


@dataclass
class Outcome:
    """Count the lines of a file that were read, stored and bad; say how it was read."""

    read: int = 0
    stored: int = 0
    bad: int = 0
    problems_count: int = 0
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def refuse(self, line: int, reasons: Sequence[str]) -> None:
        """Count a bad line and note what is wrong with it."""
        self.bad += 1
        self.problems_count += len(reasons)
        room = NAMED - len(self.problems)
        self.problems += [f"line {line}: {reason}" for reason in reasons[:room]]


class TermsDecision(NamedTuple):
    """Hold the terms that the cells of a record describe, or what is wrong with them."""

    terms_id: int = 0
    max_usage: int = 0
    expired: bool = False
    problems: tuple[str, ...] = ()


class Checked(NamedTuple):
    """Hold the result of some lines: terms not seen before, codes and problems by line."""

    terms: list[dict[str, Any]]
    codes: dict[int, OwnCode]
    bad: dict[int, list[str]]


class LineChecker:
    """Turn the records of a sheet into codes; `given` are loaded arguments that stand for all."""

    def __init__(
        self,
        sheet: Sheet,
        held: Terms,
        given: Mapping[str, Any],
        today: date,
        date_format: str,
        zone: tzinfo,
        places: int,
    ) -> None:
        self._date_format = date_format
        self._zone = zone
        self._columns = sheet.columns
        self._held = held
        self._given = given
        self._today = today
        self._schema = editing.TermsChange()
        self._schema.places = places
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
        code = new_code(cells.pop(CODE))
        own = {name: cells.pop(name, "").strip() for name in (STATUS, ACTIVE, USES)}
        decided = self._decided(*cells.values())
        problems = [*_code_problems(code), *decided.problems, *_own_problems(own)]
        if problems:
            return problems
        live, active = LIVE[own[STATUS].casefold()], SWITCH[own[ACTIVE].casefold()]
        uses = int(own[USES] or 0)
        used_up = uses >= (decided.max_usage or UNLIMITED)
        # What neither its last day nor its uses ended, an operator did.
        stopped = active is False and not decided.expired and not used_up
        return OwnCode(
            code,
            live,
            (not used_up if active is None else active) and not decided.expired,
            decided.terms_id,
            uses,
            uses,
            stopped or None,
        )

    def _decide(self, *cells: str) -> TermsDecision:
        """Return the terms that the cells of a record describe, or what is wrong with them."""
        names = [name for name in self._columns if name not in (CODE, STATUS, ACTIVE, USES)]
        texts = {
            # Blanks around it may be meant in a note alone.
            name: cell if name == "notes" else cell.strip()
            for name, cell in zip(names, cells, strict=True)
        }
        no_day = self._replace_day(texts)
        try:
            given = {**self._given, **self._schema.load(parse_terms(texts))}
            wrong = editing.problems(self._held, given)
        except ValidationError as problem:
            given, wrong = {}, problem.normalized_messages()
        wrong |= no_day
        if not wrong and self._held.id is None and "value" not in given:
            wrong = {"value": ["is required: give the column, or --value for all codes"]}
        if wrong:
            reasons = [f"{name}: {reason}" for name, why in wrong.items() for reason in why]
            return TermsDecision(problems=tuple(reasons))
        terms = editing.drafted(self._held, given)
        self._drafts.append(terms.content())
        return TermsDecision(terms.id, terms.max_usage, terms.expired(self._today))

    def _replace_day(self, texts: dict[str, str]) -> dict[str, list[str]]:
        """Write the last day as arguments have it; return what is wrong with it."""
        text = texts.pop("expires", "")
        try:
            if text:
                texts["expires"] = day_text(text, self._date_format, self._zone)
        except ValueError as problem:
            return {"expires": [str(problem)]}
        return {}


def store(
    lines: Iterable[str],
    given: Mapping[str, Any],
    today: date,
    progress: Callable[[str, int | None], AbstractContextManager[Callable[[int], object]]],
    *,
    batch_id: int = ALONE,
    skip_bad: bool = False,
    dry_run: bool = False,
    layout: Layout = AS_EXPORTED,
    date_format: str = "",
    zone: tzinfo = UTC,
    places: int = 0,
) -> Outcome:
    """Store the codes of a file: all or none, or with `skip_bad` those that can be.

    `given` are loaded terms for codes that say nothing else, over those of the batch. `today` is
    local to the zone; days are as `day_text` reads them; the currency has so many `places`. Raises
    Invalid for a file of no use, NotFound and Conflict for such a batch.
    """
    sheet = Sheet(lines, layout)
    held = Terms() if batch_id == ALONE else batches.by_id(batch_id).terms
    checker = LineChecker(sheet, held, given, today, date_format, zone, places)
    outcome = Outcome()
    with tempfile.TemporaryFile() as spooled:
        # Other writers wait for the transaction alone, so all that can be done is done before.
        with progress("Checking", None) as advance:
            for some in chunked(sheet.records(), CHUNK):
                spool.add(spooled, checker.checked(some))
                outcome.read += len(some)
                advance(len(some))
        with progress("Storing", outcome.read) as advance, change() as transaction:
            codes = OwnCodeImport(today, batch_id)
            if batch_id != ALONE and batches.by_id(batch_id).terms_id != held.id:
                raise Conflict("The batch was changed while the file was read, try again")
            for checked in spool.items(spooled):
                for content in checked.terms:
                    Terms.of(**content)
                clashes = codes.put(checked.codes)
                bad = checked.bad | {
                    line: [f"{CODE}: {why}{ADVICE.get(why, '')}"] for line, why in clashes.items()
                }
                for line in sorted(bad):
                    outcome.refuse(line, bad[line])
                advance(len(checked.codes) + len(checked.bad))
            codes.settle()
            if dry_run or (outcome.bad and not skip_bad):
                transaction.rollback()
    outcome.stored = 0 if outcome.bad and not skip_bad else codes.stored
    outcome.remarks = [*_about(lines), *sheet.remarks]
    return outcome


def _about(lines: Iterable[str]) -> Iterator[str]:
    """Yield how the text was read, where that was a guess."""
    if isinstance(lines, Lines) and lines.was_guessed and lines.encoding != UTF_8:
        yield f"The file is read as {lines.encoding}, a guess: --encoding says what it is"


def _code_problems(code: str) -> Iterator[str]:
    if not code:
        yield f"{CODE}: is required"
    elif problem := code_problem(code):
        yield f"{CODE}: {problem}"
    elif DAMAGED.fullmatch(code):
        yield (
            f"{CODE}: is a number that a sheet has damaged, or an error of it: "
            "make the column one of text there, then enter the code again"
        )


def _own_problems(own: Mapping[str, str]) -> Iterator[str]:
    if own[STATUS].casefold() not in LIVE:
        yield (
            f"{STATUS}: must be {schemas.ACTIVE} or {schemas.ARCHIVED}; "
            f'--map "{STATUS}=" leaves the column out'
        )
    if own[ACTIVE].casefold() not in SWITCH:
        yield f"{ACTIVE}: must be 1 or 0"
    uses = own[USES]
    if uses and not (uses.isascii() and uses.isdigit() and len(uses) <= 10):
        yield f"{USES}: must be a whole number"
    elif int(uses or 0) > UNLIMITED:
        yield f"{USES}: must be {UNLIMITED} or less"
