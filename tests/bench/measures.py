"""The measures S1 to S10 that ask servers in turns, each of them whole: data, servers, load."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from statistics import median

from tests.bench import data, servers
from tests.bench.load import Codes, alternate, call, rate, redeeming
from tests.bench.results import Result, rates, ratios
from tests.bench.scale import Scale
from tests.bench.servers import Broken, Server
from tests.bench.timed import generated, huge_page, starts

SERVER_TIME = re.compile(rb'"server_time":[0-9]+')
LIST = call("listPromoBatches")
DETAILS = call("getPromoDetailsByCode")
APPLY = call("applyInvoiceCoupon")
DETAILS_BYTES = 500
WARM_SECONDS = 2
REDEMPTIONS_PER_SECOND = 50
MOST_OF_REDEMPTIONS = 45
MOST_APPLIED_PER_SECOND = 5000


def unchanged_page(folder: Path, scale: Scale) -> Iterator[Result]:
    """S1 and S2: a page of which nothing changed since the last request."""
    for number, each in (("S1", 4), ("S2", 100)):
        store = folder / f"{each}.db"
        data.make(store, 100, each)
        with ExitStack() as started:
            peer = started.enter_context(servers.php(store))
            ours = started.enter_context(servers.promobridge(store))
            size = same_answer(ours, peer, LIST)
            fixed = started.enter_context(servers.fixed_body(size))
            measured = beside(scale, LIST, size, ours, peer, fixed)
        work = f"page of 100 x {each}, unchanged"
        mine = measured[ours.name]
        over_php = ratios(mine, measured[peer.name])
        over_fixed = ratios(mine, measured[fixed.name])
        yield Result(number, work, "/ PHP page", over_php, least=5, detail=rates(measured))
        yield Result(number, work, "/ fixed body", over_fixed, least=0.6)


def empty_cache(folder: Path, scale: Scale) -> Iterator[Result]:
    """S3: the same two pages with nothing kept between requests."""
    for each in (4, 100):
        store = folder / f"{each}.db"
        data.make(store, 100, each)
        with (
            servers.php(store) as peer,
            servers.promobridge(store, fragment_cache_bytes="0") as ours,
        ):
            size = same_answer(ours, peer, LIST)
            measured = beside(scale, LIST, size, ours, peer)
        over_php = ratios(measured[ours.name], measured[peer.name])
        work = f"page of 100 x {each}, empty cache"
        yield Result("S3", work, "/ PHP page", over_php, least=1.5, detail=rates(measured))


def changing_page(folder: Path, scale: Scale) -> Iterator[Result]:
    """S4: the page of S1 while one of its batches changes all the time, on both sides."""
    store = folder / "store.db"
    data.make(store, 100, 4)
    with servers.php(store) as peer, servers.promobridge(store) as ours:
        size = same_answer(ours, peer, LIST)
        redeemed: dict[str, list[float]] = {ours.name: [], peer.name: []}

        def run(server: Server) -> Callable[[int], float]:
            def measure(_: int) -> float:
                with redeeming(server, 42, REDEMPTIONS_PER_SECOND) as client:
                    found = rate(server, LIST, scale.seconds, least_bytes=size)
                redeemed[server.name].append(client.done / scale.seconds)
                return found

            return measure

        for server in (ours, peer):
            rate(server, LIST, WARM_SECONDS)
        measured = alternate({server.name: run(server) for server in (ours, peer)}, scale.rounds)
    over_php = ratios(measured[ours.name], measured[peer.name])
    work = f"page of 100 x 4, {REDEMPTIONS_PER_SECOND} redemptions/s"
    yield Result("S4", work, "/ PHP page", over_php, least=3, detail=rates(measured))
    # A ratio with fewer redemptions than were asked for is no answer to the question.
    for name, reached in redeemed.items():
        yield Result("S4", work, f"redemptions/s at {name}", reached, least=MOST_OF_REDEMPTIONS)


def details(folder: Path, scale: Scale) -> Iterator[Result]:
    """S5: random codes, one a request."""
    store = folder / "store.db"
    data.make(store, 100, 1000)
    codes = Codes("lookup", 0, 100_000)
    with servers.php(store) as peer, servers.promobridge(store) as ours:
        same_answer(ours, peer, f"{DETAILS}&code={data.code_of(4711)}")
        measured = beside(scale, DETAILS, DETAILS_BYTES, ours, peer, codes=codes)
    over_php = ratios(measured[ours.name], measured[peer.name])
    yield Result("S5", "details by code", "/ PHP page", over_php, least=1, detail=rates(measured))


def redemptions(folder: Path, scale: Scale) -> Iterator[Result]:
    """S6: distinct codes, each used once; afterwards the uses are counted in the store."""
    store = folder / "store.db"
    slice_of_codes = int(MOST_APPLIED_PER_SECOND * max(scale.seconds, WARM_SECONDS))
    data.make(store, 100, -(-slice_of_codes * (scale.rounds + 1) // 100))
    with servers.php(store) as peer, servers.promobridge(store) as ours:

        def run(server: Server) -> Callable[[int], float]:
            def measure(number: int) -> float:
                codes = Codes("apply", 1 + number * slice_of_codes, slice_of_codes)
                return rate(server, APPLY, scale.seconds, codes)

            return measure

        contestants = {server.name: run(server) for server in (ours, peer)}
        for warm in contestants.values():
            warm(scale.rounds)
        measured = alternate(contestants, scale.rounds)
        least = sum(measured[ours.name]) * scale.seconds
        with closing(sqlite3.connect(store)) as raw:
            written = raw.execute("SELECT COUNT(DISTINCT coupon_id) FROM redemption").fetchone()[0]
        if written < least * 0.99:
            raise Broken(f"Only {written} uses were written down, of {least:.0f} answered")
    over_php = ratios(measured[ours.name], measured[peer.name])
    yield Result(
        "S6", "applyInvoiceCoupon", "/ PHP page", over_php, least=1, detail=rates(measured)
    )


def sizes(folder: Path, scale: Scale) -> Iterator[Result]:
    """S8: what a request costs may not grow with what it does not touch."""
    store = folder / "batches.db"
    data.make(store, scale.batches, 2)
    count = scale.batches // 100
    far = count * 95 // 100
    with servers.promobridge(store) as ours:
        least = min(len(ours.get(f"{LIST}&page={page}")) for page in (0, count - 1))
        # Many pages: of a few it would be remembered what they are made of.
        drawn = {f"page {page:,} on": Codes("pages", page, count - far) for page in (0, far)}
        measured = _each(scale, {name: (ours, LIST, pages, least) for name, pages in drawn.items()})
    first, last = measured.values()
    work = f"pages from 0 and from {far:,} on, of {scale.batches:,} batches"
    yield Result(
        "S8", work, "faster / slower", spread(first, last), most=1.3, detail=rates(measured)
    )

    few, many = folder / "few.db", folder / "many.db"
    data.make(few, 1, 10)
    data.make(many, 100, scale.coupons // 100)
    with (
        servers.promobridge(few, "10 codes") as small,
        servers.promobridge(many, f"{scale.coupons:,} codes") as large,
    ):
        looked_up = {
            small.name: (small, DETAILS, Codes("lookup", 0, 10), DETAILS_BYTES),
            large.name: (large, DETAILS, Codes("lookup", 0, scale.coupons), DETAILS_BYTES),
        }
        measured = _each(scale, looked_up)
    work = f"a lookup among 10 and {scale.coupons:,} codes"
    both = spread(measured[small.name], measured[large.name])
    yield Result("S8", work, "faster / slower", both, most=1.3, detail=rates(measured))


def same_answer(ours: Server, peer: Server, path: str) -> int:
    """Return the bytes of an answer that both give alike, apart from `server_time`."""
    one, other = (SERVER_TIME.sub(b"", server.get(path)) for server in (ours, peer))
    if one != other or not one.startswith(b'{"success":true'):
        at = next(
            (n for n, pair in enumerate(zip(one, other, strict=False)) if len({*pair}) > 1), 0
        )
        around = slice(max(0, at - 60), at + 60)
        raise Broken(f"The answers differ: {one[around]!r} and {other[around]!r}")
    return len(ours.get(path))


def beside(
    scale: Scale, path: str, size: int, *contestants: Server, codes: Codes | None = None
) -> dict[str, list[float]]:
    """Return the rates of servers that answer the same path."""
    return _each(scale, {server.name: (server, path, codes, size) for server in contestants})


def spread(one: list[float], other: list[float]) -> list[float]:
    """Return the ratio of each round: of the one that is faster by the median to the other.

    Were each round's faster one divided by its slower, two that are equally fast would be apart by
    as much as the machine's neighbours change from one moment to the next.
    """
    found = ratios(one, other)
    return found if median(found) >= 1 else ratios(other, one)


def _each(
    scale: Scale, asked: dict[str, tuple[Server, str, Codes | None, int]]
) -> dict[str, list[float]]:
    def run(server: Server, path: str, codes: Codes | None, size: int) -> Callable[[int], float]:
        return lambda _: rate(server, path, scale.seconds, codes, size)

    for server, path, codes, _ in asked.values():
        rate(server, path, WARM_SECONDS, codes)
    return alternate({name: run(*given) for name, given in asked.items()}, scale.rounds)


MEASURES: dict[str, Callable[[Path, Scale], Iterator[Result]]] = {
    "S1": unchanged_page,
    "S2": unchanged_page,
    "S3": empty_cache,
    "S4": changing_page,
    "S5": details,
    "S6": redemptions,
    "S7": generated,
    "S8": sizes,
    "S9": huge_page,
    "S10": starts,
}
