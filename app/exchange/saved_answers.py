"""Import saved answers of listPromoBatches, getPromoDetailsByCode and listPromoCodes."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, date, tzinfo
from decimal import Decimal
from typing import Any, BinaryIO, NoReturn

import click
from marshmallow import ValidationError

from app.exchange import spool
from app.exchange.listed_pages import ListedPages
from calls import php
from calls.wire import schemas
from models.imports.importing import Import
from models.imports.records import BatchRecord, CouponRecord, TermsRecord
from models.imports.report import Report
from models.promotions import expiry
from models.promotions.terms import Terms
from models.store import clock, own_ids
from models.store.base import change
from models.store.errors import Invalid

BATCHES, DETAILS, LINES = "batches", "coupon", "coupons"
KINDS: dict[str, schemas.Shape] = {
    BATCHES: schemas.Coupon(),
    DETAILS: schemas.CouponDetails(),
    LINES: schemas.CouponLine(),
}
"""The member that tells each kind of answer, and the schema of its coupons; in order of storing."""
LIST_CALLS = {BATCHES: "listPromoBatches", LINES: "listPromoCodes"}
BATCH = schemas.Batch()
DECIMALS = {
    schema.shape: {
        name: field.places for name, field in schema.fields.items() if isinstance(field, php.Fixed)
    }
    for schema in (*KINDS.values(), BATCH)
}
"""The decimals that each shape rounds amounts to."""
ECHOED = 60
"""How many characters of a file's own names a refusal repeats at most."""

_START = re.compile(r"[^ \t\r\n]")


@contextmanager
def no_progress(what: str, total: int) -> Iterator[Callable[[int], object]]:
    """Yield a progress callback that shows nothing."""
    yield lambda count: None


def store_files(
    paths: Sequence[str],
    zone: tzinfo = UTC,
    *,
    dry_run: bool = False,
    warn: Callable[[str], object] = lambda sentence: None,
    progress: Callable[[str, int], AbstractContextManager[Callable[[int], object]]] = no_progress,
) -> Import:
    """Store the answers in files, all or nothing, and return the counts of their outcomes.

    `-` is standard input. The zone is that of the times in the answers. A dry run compares
    everything and stores nothing. `warn` is told of pages that are missing. Raises Invalid and
    Clash.
    """
    pages = ListedPages()
    with ExitStack() as stack:
        spools = {kind: stack.enter_context(tempfile.TemporaryFile()) for kind in KINDS}
        count = 0
        # Other writers wait for the transaction alone, so all that can be done is done before.
        with php.local_time(zone), progress("Checking", len(paths)) as advance:
            for path in paths:
                for kind, records in loaded_file(path, pages).items():
                    spool.add(spools[kind], records)
                    count += sum(1 + len(getattr(record, "coupons", ())) for record in records)
                advance(1)
        for sentence in pages.missing():
            warn(sentence)
        with progress("Storing", count) as advance:
            return store_spools(spools, zone, advance, dry_run=dry_run)


def store_spools(
    spools: Mapping[str, BinaryIO],
    zone: tzinfo,
    advance: Callable[[int], object],
    *,
    dry_run: bool,
    report: Report | None = None,
    before_settling: Callable[[date], object] = lambda today: None,
    newer: Callable[[Sequence[int]], Container[int]] = lambda ids: (),
) -> Import:
    """Store spooled records in one transaction; a dry run undoes it. Raises Clash and Invalid."""
    if not dry_run:
        own_ids.reserve()
    with change() as transaction:
        today = clock.today(zone)
        expiry.expire_due(today)  # what expires later is ours to notice, the rest is the file's
        imported = Import(today, advance, zone, report, newer)
        for records in spool.items(spools[BATCHES]):
            for record in records:
                imported.put_batch(record)
        for kind in (DETAILS, LINES):
            for records in spool.items(spools[kind]):
                imported.put_coupons(records)
        before_settling(today)
        imported.settle()
        if dry_run:
            transaction.rollback()
    return imported


def loaded_file(path: str, pages: ListedPages | None = None) -> dict[str, list[Any]]:
    """Return the records of all answers in a file by kind; note its pages. Raises Invalid."""
    name = "standard input" if path == "-" else path
    try:
        with click.open_file(path, "rb") as file:
            data: bytes = file.read()
    except OSError as problem:
        raise Invalid(f"{path}: cannot be read ({problem.strerror})") from None
    answers = list(decoded(name, data))
    if not answers:
        raise Invalid(f"{name}: holds no answer")
    loader = Loader()
    loaded: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    for number, answer in enumerate(answers, 1):
        place = f"{name}: answer {number}" if len(answers) > 1 else name
        kind = _kind(answer, place)
        if pages is not None:
            pages.note(LIST_CALLS.get(kind, ""), answer)
        loaded[kind] += loader.records(kind, answer[kind], f"{place}: {kind}")
    return loaded


def decoded(name: str, data: bytes) -> Iterator[Any]:
    """Yield the answers of a file: one after another, or the members of one list.

    Raises Invalid.
    """
    decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)
    at = 0
    try:
        text = data.decode("utf-8-sig")
        while start := _START.search(text, at):
            value, at = decoder.raw_decode(text, start.start())
            yield from value if isinstance(value, list) else [value]
    except UnicodeDecodeError as problem:
        raise Invalid(f"{name}: byte {problem.start}: is not UTF-8") from None
    except json.JSONDecodeError as problem:
        place = f"{name}: line {problem.lineno} column {problem.colno}"
        raise Invalid(f"{place}: is not JSON") from None
    except (ValueError, ArithmeticError):
        raise Invalid(f"{name}: holds a number that is out of range") from None
    except RecursionError:
        raise Invalid(f"{name}: is nested too deeply") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _kind(answer: Any, place: str) -> str:
    """Return the kind of an answer. Raises Invalid for what is none that can be imported."""
    if not isinstance(answer, dict):
        raise Invalid(f"{place}: must be a JSON object")
    if answer.get("success") is False:
        raise Invalid(f"{place}: is the answer of a call that failed")
    if answer.get("success") is not True:
        raise Invalid(f"{place}: success: must be true")
    kinds = [kind for kind in KINDS if kind in answer]
    if len(kinds) != 1:
        raise Invalid(f"{place}: must hold one of {', '.join(KINDS)}")
    return kinds[0]


class Loader:
    """Load the batches and coupons of a file into records; equal terms are one record."""

    def __init__(self) -> None:
        self._terms: dict[str, TermsRecord] = {}

    def records(self, kind: str, payload: Any, place: str) -> Sequence[BatchRecord | CouponRecord]:
        """Return what an answer lists. Raises Invalid."""
        if kind == DETAILS:
            return [self.record(kind, payload, place)]
        return [self.record(kind, member, at) for member, at in _listed(payload, place)]

    def record(self, kind: str, wire: Any, place: str) -> BatchRecord | CouponRecord:
        """Return one row of an answer of a kind. Raises Invalid."""
        if kind == BATCHES:
            return self._batch(wire, place)
        return self._coupon(KINDS[kind], wire, place)

    def member(self, batch_id: int, wire: Any, place: str) -> CouponRecord:
        """Return a coupon that a batch lists. Raises Invalid."""
        coupon = self._coupon(KINDS[BATCHES], wire, place)
        if coupon.batch_id != batch_id:
            raise Invalid(f"{place}.batch_id: must be the id of the batch around it")
        return coupon

    def _coupon(self, schema: schemas.Shape, wire: Any, place: str) -> CouponRecord:
        loaded = _loaded(schema, wire, place)
        return CouponRecord(place, terms=self._terms_record(schema, loaded), **loaded)

    def _batch(self, wire: Any, place: str) -> BatchRecord:
        inside = wire.get("coupons", []) if isinstance(wire, dict) else []
        members = list(_listed(inside, f"{place}.coupons"))
        # The coupons are loaded on their own.
        batch = _loaded(BATCH, wire | {"coupons": []} if inside else wire, place)
        coupons = [self.member(batch["id"], member, at) for member, at in members]
        # The terms of a batch are its first coupon's but for what it says itself.
        if coupons:
            first = coupons[0].terms
        else:
            offered = schemas.offered(dict(batch["config"]))
            first = TermsRecord(schemas.Coupon.shape, offered, {}, [])
        usual = schemas.config_of(Terms(**first.values))
        changes = {
            "terms": (first, self._terms_record(BATCH, batch)),
            "config": None if php.encode(usual) == php.encode(batch["config"]) else batch["config"],
            "coupons": coupons,
        }
        return BatchRecord(place, length=_length(batch["prefix"], coupons), **batch | changes)

    def _terms_record(self, schema: schemas.Shape, loaded: dict[str, Any]) -> TermsRecord:
        """Move the terms out of a loaded coupon or batch into a record."""
        shape = schema.shape
        record = TermsRecord(
            shape, loaded.pop("terms"), DECIMALS[shape], loaded.pop("extra"), schema.whole
        )
        return self._terms.setdefault(repr(record), record)


def _listed(payload: Any, place: str) -> Iterator[tuple[Any, str]]:
    """Yield the members of a list with their places. Raises Invalid."""
    if not isinstance(payload, list):
        raise Invalid(f"{place}: must be a list")
    for at, wire in enumerate(payload):
        yield wire, f"{place}[{at}]"


def _loaded(schema: schemas.Shape, wire: Any, place: str) -> dict[str, Any]:
    """Return what a schema loads. Raises Invalid with the first thing that is wrong."""
    if not isinstance(wire, dict):
        raise Invalid(f"{place}: must be an object")
    try:
        loaded: dict[str, Any] = schema.load(wire)
    except ValidationError as problem:
        name, reasons = next(iter(problem.normalized_messages().items()))
        raise Invalid(f"{place}.{_cut(name)}: {reasons[0]}") from None
    if loaded.get("code") == "":
        raise Invalid(f"{place}.code: must not be empty")
    return loaded


def _cut(text: str) -> str:
    shown = "".join(each if each.isprintable() else "?" for each in text[:ECHOED])
    return shown if len(text) <= ECHOED else f"{shown[:-1]}…"


def _length(prefix: str, coupons: Sequence[CouponRecord]) -> int | None:
    """Return how many characters of the first code are not the prefix, None when unknown."""
    if not coupons or not coupons[0].code.startswith(prefix):
        return None
    return len(coupons[0].code) - len(prefix) or None
