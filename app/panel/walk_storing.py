"""Store what a walk of the panel has read, and report it by row and field."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from datetime import date, tzinfo
from functools import partial
from typing import Any, BinaryIO

from app.exchange import saved_answers, spool
from app.exchange.saved_answers import BATCHES, DETAILS, KINDS, LINES, Loader
from app.panel import walk as reading
from app.panel.rows import id_of, members
from calls import php
from models.imports.importing import Import
from models.imports.report import BATCH, CODE, Report
from models.panel import pending, vanished, walks
from models.panel.renumbering import Obstacles
from models.panel.vanished import SeenIds
from models.panel.walks import PanelWalk
from models.promotions.coupons import Coupon
from models.promotions.terms import HALF_KNOWN
from models.store.errors import Invalid

HALF = "half"


class WalkStore:
    """Bring what a walk has read into the store, in one transaction."""

    def __init__(self, walk: PanelWalk, zone: tzinfo) -> None:
        self.report = Report()
        self._walk, self._zone = walk, zone
        self._batches, self._codes = SeenIds(), SeenIds()
        self._loader = Loader()

    def store(
        self, advance: Callable[[int], object], *, dry_run: bool, archive_missing: bool
    ) -> Import:
        """Store all rows but those that the report names as refused; a dry run undoes it.

        Raises Stopped when another process has ended the walk, and Conflict when all rows would be
        archived.
        """
        with ExitStack() as stack:
            spools = {
                kind: stack.enter_context(tempfile.TemporaryFile()) for kind in (*KINDS, HALF)
            }
            with php.local_time(self._zone):
                self._spool_batches(spools)
                self._spool_codes(spools, reading.SINGLE)
                self._spool_codes(spools, reading.ALL)
            return saved_answers.store_spools(
                spools,
                self._zone,
                advance,
                dry_run=dry_run,
                report=self.report,
                newer=lambda ids: pending.changed(ids, self._walk.started_at),
                before_settling=partial(self._look_round, spools[HALF], archive_missing),
            )

    def _spool_batches(self, spools: Mapping[str, BinaryIO]) -> None:
        for number, rows in enumerate(_pages(self._walk, reading.BATCHES)):
            place = f"listPromoBatches, page {number}"
            self._batches.add(map(id_of, rows))
            for row in rows:
                self._codes.add(map(id_of, members(row)))
            spool.add(spools[BATCHES], [*self._loaded(BATCHES, BATCH, rows, place)])

    def _spool_codes(self, spools: Mapping[str, BinaryIO], kind: str) -> None:
        """Spool the codes of a list that no other list had."""
        seen, self._codes = self._codes, SeenIds()
        for number, page in enumerate(_pages(self._walk, kind)):
            place = f"listPromoCodes, page {number}"
            lines = [line for line in page if id_of(line) not in seen]
            ids = [id_of(line) for line in lines]
            self._codes.add(ids)
            kept = walks.several(self._walk, reading.DETAILS, ids)
            notes = {each: next(saved_answers.decoded(place, kept[each])) for each in kept}
            whole = [note["coupon"] for note in notes.values() if "coupon" in note]
            thin = [line for line in lines if "coupon" not in notes.get(id_of(line), {})]
            details = self._loaded(DETAILS, CODE, whole, reading.DETAILS_CALL)
            spool.add(spools[DETAILS], [*details])
            lines_ = self._loaded(LINES, CODE, thin, place)
            spool.add(spools[LINES], [*lines_])
            named = [(id_of(line), str(line.get("code", ""))) for line in thin]
            spool.add(spools[HALF], [(*each, _why(notes.get(each[0], {}))) for each in named])
        self._codes.add(seen)

    def _loaded(self, kind: str, row_kind: str, rows: list[Any], place: str) -> Iterator[Any]:
        """Yield the records of rows; the report is told of those that are none."""
        for row in rows:
            try:
                yield self._loader.record(kind, row, place)
            except Invalid as problem:
                if kind == BATCHES and self._has_lost_members(row, place):
                    yield from self._loaded(kind, row_kind, [row], place)
                else:
                    self._refuse(row_kind, row, problem)

    def _has_lost_members(self, batch: dict[str, Any], place: str) -> bool:
        """Leave out the codes of a batch that are none; tell whether there are such."""
        all_, batch["coupons"] = members(batch), []
        for member in all_:
            try:
                self._loader.member(id_of(batch), member, place)
                batch["coupons"].append(member)
            except Invalid as problem:
                self._refuse(CODE, member, problem)
        return len(batch["coupons"]) < len(all_)

    def _refuse(self, kind: str, row: dict[str, Any], problem: Invalid) -> None:
        name = str(row.get("code", row.get("name", "")))
        self.report.refused(kind, id_of(row), name, problem.sentence)

    def _look_round(self, half: BinaryIO, archive_missing: bool, today: date) -> None:
        """Report codes that stay half known, and rows that have vanished."""
        if not walks.is_open(self._walk):
            raise reading.Stopped("Another walk has ended meanwhile: this one stored nothing")
        for named in spool.items(half):
            rows = Coupon.select().where(Coupon.id.in_([number for number, _, _ in named]))
            stored = {coupon.id: coupon for coupon in rows}
            for number, code, reason in named:
                coupon = stored.get(number)
                if coupon is not None and HALF_KNOWN in coupon.terms.extra:
                    self.report.half_known(number, code, reason)
        vanished.tell(self.report, self._batches, self._codes, today, archive=archive_missing)


def _pages(walk: PanelWalk, kind: str) -> Iterator[list[Any]]:
    """Yield the rows of a list, numbers as Decimals as files have them."""
    call, member, _ = reading.LISTS[kind]
    for number, body in enumerate(walks.pages(walk, kind)):
        yield next(saved_answers.decoded(f"{call}, page {number}", body))[member]


def look_round(reader: reading.Reader, walk: PanelWalk, obstacles: Obstacles) -> None:
    """Read the panel's lists and find what is in the way of its rows. Raises what Reader does."""
    loader = Loader()
    reader.begin()
    for kind, as_kind in ((reading.BATCHES, BATCHES), (reading.ALL, LINES)):
        reader.read(kind)
        for rows in _pages(walk, kind):
            found = []
            for row in rows:
                with suppress(Invalid):  # what cannot be stored has nothing in its way
                    found.append(loader.record(as_kind, row, kind))
            obstacles.look_at(found)


def _why(note: dict[str, Any]) -> str:
    if "reached" in note:
        return f"its code answers with the details of {note['reached']}"
    return f"the panel tells no details: {note.get('failed', 'it has no code')}"
