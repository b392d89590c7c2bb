"""Import saved answers of listPromoBatches, getPromoDetailsByCode and listPromoCodes."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from app.exchange.saved_records import Reader, Unreadable
from calls import php
from calls.wire import schemas
from models.imports.importing import Import
from models.promotions import expiry
from models.store import clock
from models.store.base import change

BATCHES, DETAILS, LINES = "batches", "coupon", "coupons"
KINDS: dict[str, type[schemas.Shape]] = {
    BATCHES: schemas.Coupon,
    DETAILS: schemas.CouponDetails,
    LINES: schemas.CouponLine,
}
"""The member that tells each kind of answer, and the shape of its coupons; in order of storing."""

_SPACE = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True)
class Source:
    """Name a file of answers; what can be read only once is held."""

    name: str
    data: bytes | None = None

    @classmethod
    def of(cls, path: str) -> Source:
        """Return the source for a path, `-` being standard input. Raises Unreadable."""
        if path == "-":
            return cls("standard input", sys.stdin.buffer.read())
        source = cls(path)
        return source if Path(path).is_file() else cls(path, source.read())

    def read(self) -> bytes:
        """Return the bytes. Raises Unreadable."""
        try:
            return Path(self.name).read_bytes() if self.data is None else self.data
        except OSError as problem:
            raise Unreadable(self.name, f"cannot be read ({problem.strerror})") from None

    def saved(self) -> dict[str, Saved]:
        """Return the answers in the file by kind. Raises Unreadable."""
        found: dict[str, Saved] = {}
        answers = list(_answers(_text(self), self.name))
        for number, answer in enumerate(answers, 1):
            place = f"{self.name}: " + (f"answer {number}: " if len(answers) > 1 else "")
            kind = _kind(answer, place)
            found.setdefault(kind, Saved(kind)).add(answer[kind], place)
        if not found:
            raise Unreadable(self.name, "holds no answer")
        return found


@dataclass
class Saved:
    """Hold what all answers of one kind in a file list."""

    kind: str
    members: list[Any] = field(default_factory=list)
    starts: list[tuple[int, str]] = field(default_factory=list)
    """The index of each answer's first member, and what its places begin with."""

    def add(self, payload: Any, place: str) -> None:
        """Add what one answer holds. Raises Unreadable."""
        one = self.kind == DETAILS
        if not isinstance(payload, dict if one else list):
            raise Unreadable(f"{place}{self.kind}", f"must be {'an object' if one else 'a list'}")
        self.starts.append((len(self.members), place))
        self.members += [payload] if one else payload

    def place(self, at: int) -> str:
        """Return the place of a member."""
        start, place = next(each for each in reversed(self.starts) if each[0] <= at)
        return f"{place}{self.kind}" + ("" if self.kind == DETAILS else f"[{at - start}]")

    def check(self) -> int:
        """Load every record and return how many there are. Raises Unreadable."""
        reader = Reader(KINDS[self.kind])
        if self.kind == BATCHES:
            places = enumerate(self.members)
            return sum(1 + len(reader.batch(wire, self.place(at))[1]) for at, wire in places)
        return len(reader.coupons(self.members, self.place))

    def put_into(self, store: Import) -> None:
        """Store every record. Raises Unreadable and Clash."""
        reader = Reader(KINDS[self.kind])
        if self.kind == BATCHES:
            for at, wire in enumerate(self.members):
                place = self.place(at)
                batch, coupons = reader.batch(wire, place)
                store.put_batch(batch, coupons, place, partial(_inside, place))
        else:
            store.put_coupons(reader.coupons(self.members, self.place), self.place)


@contextmanager
def unseen(what: str, total: int) -> Iterator[Callable[[int], object]]:
    """Yield a function that is told of progress and shows nothing."""
    yield lambda done: None


def store_files(
    paths: Sequence[str],
    zone: tzinfo = UTC,
    *,
    dry_run: bool = False,
    progress: Callable[[str, int], AbstractContextManager[Callable[[int], object]]] = unseen,
) -> Import:
    """Store the answers in files, all or nothing, and return the counts of what became of them.

    `-` is standard input. The zone is that of the times in the answers. A dry run compares
    everything and stores nothing. Raises Unreadable and Clash.
    """
    with php.local_time(zone):
        sources = [Source.of(path) for path in paths]
        with progress("Checking", len(sources)) as done:
            by_kind, count = _check(sources, done)
        with progress("Storing", count) as done, change() as transaction:
            today = clock.today(zone)
            expiry.expire_due(today)  # what expires later is ours to notice, the rest is the file's
            taken = Import(today, done, zone)
            _store(by_kind, taken)
            if dry_run:
                transaction.rollback()
    return taken


def _check(
    sources: Sequence[Source], on_progress: Callable[[int], object]
) -> tuple[dict[str, list[Source]], int]:
    """Load every file; return the files with each kind of answer and the number of records."""
    by_kind: dict[str, list[Source]] = {kind: [] for kind in KINDS}
    count = 0
    for source in sources:
        try:
            for kind, saved in source.saved().items():
                count += saved.check()
                by_kind[kind].append(source)
        except RecursionError:
            raise Unreadable(source.name, "is nested too deeply") from None
        on_progress(1)
    return by_kind, count


def _store(by_kind: dict[str, list[Source]], taken: Import) -> None:
    for kind in KINDS:
        for source in by_kind[kind]:
            saved = source.saved()
            if kind not in saved:
                raise Unreadable(source.name, "was changed while it was read")
            saved[kind].put_into(taken)
    taken.settle()


def _answers(text: str, name: str) -> Iterator[Any]:
    """Yield the answers of a file: one after another, or the members of one list."""
    decoder = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)
    at = _after_space(text, 0)
    while at < len(text):
        try:
            value, end = decoder.raw_decode(text, at)
        except json.JSONDecodeError as problem:
            place = f"{name}: line {problem.lineno} column {problem.colno}"
            raise Unreadable(place, "is not JSON") from None
        except (ValueError, ArithmeticError):
            raise Unreadable(name, "holds a number that is out of range") from None
        if isinstance(value, list):
            yield from value
        else:
            yield value
        at = _after_space(text, end)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _after_space(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at


def _text(source: Source) -> str:
    try:
        return source.read().decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise Unreadable(f"{source.name}: byte {problem.start}", "is not UTF-8") from None


def _kind(answer: Any, place: str) -> str:
    """Return the kind of an answer. Raises Unreadable for what is none that can be imported."""
    place = place.removesuffix(": ")
    if not isinstance(answer, dict):
        raise Unreadable(place, "must be a JSON object")
    if answer.get("success") is False:
        raise Unreadable(place, "is the answer of a call that failed")
    if answer.get("success") is not True:
        raise Unreadable(f"{place}: success", "must be true")
    kinds = [kind for kind in KINDS if kind in answer]
    if len(kinds) != 1:
        raise Unreadable(place, f"must hold one of {', '.join(KINDS)}")
    return kinds[0]


def _inside(place: str, at: int) -> str:
    return f"{place}.coupons[{at}]"
