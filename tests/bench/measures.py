"""The measures that ask servers in turns, each of them whole: data, servers, load."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from statistics import median

from tests.bench import data
from tests.bench.load import Codes, Sample, alternate, ask, call, redeeming
from tests.bench.php import PHP, php
from tests.bench.results import Cell, Row, digits, ratios
from tests.bench.scale import Scale
from tests.bench.servers import OURS, TUTORIAL, Broken, Server, promobridge, tutorial
from tests.bench.timed import generated, huge_page, starts

SERVER_TIME = re.compile(rb'"server_time":[0-9]+')
LIST = call("listPromoBatches")
DETAILS = call("getPromoDetailsByCode")
APPLY = call("applyInvoiceCoupon", **data.BOUGHT)
DETAILS_BYTES = 500
REDEMPTIONS_PER_SECOND = 50
LEAST_REDEMPTIONS_PER_SECOND = 45
MOST_APPLIED_PER_SECOND = 5000
LEAST = {"S1": (3, 4), "S2": (3, 4), "S3": (1.1, 1.4), "S5": (0.6, 1.0), "S6": (0.6, 0.8)}
"""The rates asked for of gunicorn and of granian, as multiples of the PHP page's."""
MOST_APART = 1.3


def page(folder: Path, scale: Scale) -> Iterator[Row]:
    """S1, S2 and S3: a page of which nothing changed since the last request, kept and not kept."""
    for number, each in (("S1", 4), ("S2", 100)):
        store = folder / f"{each}.db"
        data.make(store, 100, each)
        with ExitStack() as started:
            # The tutorial takes seconds for the larger page, too long for a round.
            contestants = _contestants(started, store, with_tutorial=each == 4)
            size = same_answers([*contestants.values()], LIST)
            uncached = {
                f"{name} uncached": started.enter_context(
                    promobridge(name, _copy(store, f"{name} S3"), fragment_cache_bytes="0")
                )
                for name in OURS
            }
            same_answers([contestants[PHP], *uncached.values()], LIST)
            asked = (contestants | uncached).items()
            measured = _each(scale, {name: (server, LIST, None, size) for name, server in asked})
        made = {name: measured.get(f"{name} uncached", measured[name]) for name in contestants}
        kept = {name: measured[name] for name in contestants}
        yield from _beside_php(number, f"page of 100 x {each}, unchanged", kept)
        yield from _beside_php("S3", f"page of 100 x {each}, nothing kept", made)


def changing_page(folder: Path, scale: Scale) -> Iterator[Row]:
    """S4: the page of S1 while one of its batches changes all the time, on both sides."""
    data.make(folder / "store.db", 100, 4)
    with ExitStack() as started:
        contestants = _contestants(started, folder / "store.db", with_tutorial=False)
        size = same_answers([*contestants.values()], LIST)
        redeemed: dict[str, list[float]] = {name: [] for name in contestants}

        def run(server: Server) -> Callable[[float, int], Sample]:
            def measure(seconds: float, _: int) -> Sample:
                with redeeming(server, 42, REDEMPTIONS_PER_SECOND) as client:
                    found = ask(server, LIST, seconds, least_bytes=size)
                redeemed[server.name].append(client.done / found.seconds)
                return found

            return measure

        measured = alternate({name: run(server) for name, server in contestants.items()}, scale)
    work = f"page of 100 x 4, {REDEMPTIONS_PER_SECOND} redemptions/s"
    yield from _beside_php("S4", work, measured)
    # A ratio with fewer redemptions than were asked for is no answer to the question.
    reached = {
        name: Cell(values[-scale.rounds :], least=LEAST_REDEMPTIONS_PER_SECOND)
        for name, values in redeemed.items()
    }
    yield Row("S4", work, "redemptions/s meanwhile", reached)


def codes(folder: Path, scale: Scale) -> Iterator[Row]:
    """S5 and S6: random codes, one a request; then distinct codes, each used once."""
    some = int(MOST_APPLIED_PER_SECOND * max(scale.seconds, scale.warm_seconds))
    each = -(-some * (scale.rounds + 1) // 100) + 1
    data.make(folder / "store.db", 100, each)
    with ExitStack() as started:
        contestants = _contestants(started, folder / "store.db", with_tutorial=True)
        servers = [*contestants.values()]
        for number in (0, 47, 100 * each - 1):
            same_answers(servers, f"{DETAILS}&code={data.code_of(number)}")
        drawn = Codes("lookup", 0, 100 * each)
        asked = {server.name: (server, DETAILS, drawn, DETAILS_BYTES) for server in servers}
        yield from _beside_php("S5", "one code", _each(scale, asked))

        same_answers(servers, f"{APPLY}&applycoupon={data.code_of(0)}&id=1&client_id=1")

        def run(server: Server) -> Callable[[float, int], Sample]:
            def measure(seconds: float, number: int) -> Sample:
                return ask(server, APPLY, seconds, Codes("apply", 1 + number * some, some))

            return measure

        measured = alternate({name: run(server) for name, server in contestants.items()}, scale)
        for name, samples in measured.items():
            answered = sum(sample.answers for sample in samples)
            _check_written(_copy(folder / "store.db", name), answered)
    yield from _beside_php("S6", "one redemption", measured)


def _check_written(store: Path, answered: int) -> None:
    with closing(sqlite3.connect(store)) as raw:
        written = raw.execute("SELECT COUNT(DISTINCT coupon_id) FROM redemption").fetchone()[0]
    if written < answered:
        raise Broken(f"{store.stem}: only {written} uses were written down, of {answered} answered")


def far_pages(folder: Path, scale: Scale) -> Iterator[Row]:
    """S8: the newest pages, and the last ones of a long list."""
    data.make(folder / "store.db", scale.batches, 2)
    count = scale.batches // 100
    far = count * 95 // 100
    measured = {}
    for name in OURS:
        with promobridge(name, folder / "store.db") as server:
            least = min(len(server.get(f"{LIST}&page={at}")) for at in (0, count - 1))
            # Many pages: of a few it would be remembered what they are made of.
            near, late = (Codes("pages", at, count - far) for at in (0, far))
            asked = {"near": (server, LIST, near, least), "far": (server, LIST, late, least)}
            measured[name] = _each(scale, asked)
    yield from _apart(f"pages from 0 and from {far:,} of {scale.batches:,} batches", measured)


def lookups(folder: Path, scale: Scale) -> Iterator[Row]:
    """S8: what a look-up costs may not grow with the codes that it does not touch."""
    few, many = folder / "few.db", folder / "many.db"
    data.make(few, 1, 10)
    data.make(many, 100, scale.coupons // 100)
    measured = {}
    for name in OURS:
        with promobridge(name, few) as small, promobridge(name, many) as large:
            all_few, all_many = (Codes("lookup", 0, count) for count in (10, scale.coupons))
            asked = {
                "few": (small, DETAILS, all_few, DETAILS_BYTES),
                "many": (large, DETAILS, all_many, DETAILS_BYTES),
            }
            measured[name] = _each(scale, asked)
    yield from _apart(f"one code among 10 and among {scale.coupons:,}", measured, MOST_APART)


def _apart(
    work: str, measured: Mapping[str, Mapping[str, Sequence[Sample]]], most: float | None = None
) -> Iterator[Row]:
    """Yield how far two are apart on each server, in rates, which are judged, and processor time.

    All rounds are divided in the same direction. Were each round's higher one divided by its lower,
    equals would be as far apart as the machine changes from one moment to the next.
    """
    rates, costs = {}, {}
    for name, pair in measured.items():
        rates[name] = _higher([[each.rate for each in samples] for samples in pair.values()], "/s")
        costs[name] = _higher([[each.cost for each in samples] for samples in pair.values()], " ms")
    judged = {name: replace(cell, most=most) for name, cell in rates.items()}
    yield Row("S8", work, "answers/s, higher / lower", judged)
    yield Row("S8", work, "processor time, higher / lower", costs)


def _higher(pair: Sequence[Sequence[float]], unit: str) -> Cell:
    found = ratios(*pair)
    if median(found) < 1:
        found = ratios(*reversed(pair))
    return Cell(found, detail=" and ".join(f"{digits(median(values))}{unit}" for values in pair))


def _contestants(started: ExitStack, store: Path, with_tutorial: bool) -> dict[str, Server]:
    """Start all servers, each over a copy of its own of a store."""
    servers = [promobridge(name, _copy(store, name)) for name in OURS]
    servers += [tutorial(_copy(store, TUTORIAL))] if with_tutorial else []
    servers += [php(_copy(store, PHP))]
    return {server.name: server for server in map(started.enter_context, servers)}


def _copy(store: Path, name: str) -> Path:
    """Return a copy of a store, made if there is none."""
    copy = store.with_stem(f"{store.stem}-{name.replace(' ', '-')}")
    return copy if copy.exists() else Path(shutil.copy(store, copy))


def same_answers(servers: Sequence[Server], path: str) -> int:
    """Return the bytes of an answer that all give alike, apart from `server_time`.

    The tutorial's is compared as a JSON value, without regard to the order of names.
    """
    answers = {
        server.name: SERVER_TIME.sub(b'"server_time":0', server.get(path)) for server in servers
    }
    expected = answers[PHP]
    if not expected.startswith(b'{"success":true'):
        raise Broken(f"The {PHP} answered {expected[:200]!r}")
    for name, answer in answers.items():
        read: Callable[[bytes], object] = json.loads if name == TUTORIAL else bytes
        if read(answer) != read(expected):
            pairs = enumerate(zip(answer, expected, strict=False))
            at = next((n for n, pair in pairs if len({*pair}) > 1), 0)
            around = slice(max(0, at - 60), at + 60)
            raise Broken(f"{name} answers {answer[around]!r}, the {PHP} {expected[around]!r}")
    return len(expected)


def _beside_php(number: str, work: str, measured: Mapping[str, Sequence[Sample]]) -> Iterator[Row]:
    """Yield answers a second and a processor second, divided by the PHP page's of the round."""
    least = dict(zip(OURS, LEAST.get(number, ()), strict=False))
    rates = {name: [each.rate for each in samples] for name, samples in measured.items()}
    costs = {name: [each.cost for each in samples] for name, samples in measured.items()}
    rate_cells, cost_cells = {}, {}
    for name in measured:
        if name == PHP:
            rate_cells[name], cost_cells[name] = Cell(rates[name], "/s"), Cell(costs[name], " ms")
            continue
        rate, cost = digits(median(rates[name])), digits(median(costs[name]))
        over_php = ratios(rates[name], rates[PHP])
        rate_cells[name] = Cell(over_php, least=least.get(name), detail=f"{rate}/s")
        cost_cells[name] = Cell(ratios(costs[PHP], costs[name]), detail=f"{cost} ms")
    yield Row(number, work, "answers/s, x PHP page", rate_cells)
    yield Row(number, work, "answers a processor second, x PHP page", cost_cells)


def _each(
    scale: Scale, asked: Mapping[str, tuple[Server, str, Codes | None, int]]
) -> dict[str, list[Sample]]:
    def run(
        server: Server, path: str, codes: Codes | None, size: int
    ) -> Callable[[float, int], Sample]:
        return lambda seconds, _: ask(server, path, seconds, codes, size)

    return alternate({name: run(*given) for name, given in asked.items()}, scale)


MEASURES: dict[Callable[[Path, Scale], Iterator[Row]], tuple[str, ...]] = {
    page: ("S1", "S2", "S3"),
    changing_page: ("S4",),
    codes: ("S5", "S6"),
    generated: ("S7",),
    far_pages: ("S8",),
    lookups: ("S8",),
    huge_page: ("S9",),
    starts: ("S10",),
}
"""What measures each of the targets."""
