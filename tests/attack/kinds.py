"""What an attacker sends, one kind for each limit: the requests, or what is done instead of any."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle, islice
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlencode

from app.config import Settings
from tests.credentials import CREDENTIALS
from tests.nginx_site import HOST, Site

TOO_MUCH = 8_000_000
"""More than the limit of a body."""
LARGEST = Settings().body_limit_bytes - 1000
"""A little under it."""
BOUNDARY = "b0"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}
MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
LEGACY = "/admin/api.php"
DEEPER = (64, 100_000, 500_000, 4_000_000)
"""Beside those near the depth at which an interpreter gives up."""
LARGEST_IMPORT = 10_000
HELD = 64


class Request(NamedTuple):
    """Hold a request; it is a POST when it has a body, else a GET, unless `method` says more."""

    target: str
    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})
    method: str = ""


@dataclass(frozen=True)
class Means:
    """Hold what an attacker has: an address, and where the kind says so a secret of a partner."""

    address: str
    secret: str
    slug: str
    ends: float
    """When the attack ends, in seconds of the monotonic clock."""
    full: bool
    """Whether as much is sent as when the fault was found, or a part of it."""

    def count(self, full: int, part: int) -> int:
        """Return how much to send."""
        return full if self.full else part

    def rest(self, path: str, body: bytes, **headers: str) -> Request:
        """Return a request to the REST API with the secret."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Request(f"/v1{path}", body, JSON | {"X-API-Secret": self.secret} | named)


@dataclass(frozen=True)
class Kind:
    """Name an attack: what it sends, or what it does with the site instead.

    `rows_a_request` is how many rows at most each request may leave in the store on average; one is
    in the usage log for who has a secret.
    """

    name: str
    sends: Callable[[Means], Iterable[Request]] = lambda means: ()
    does: Callable[[Site, Means], None] | None = None
    rows_a_request: float | None = None
    is_refused: bool = field(default=False, kw_only=True)
    """Whether each request must be refused without a status of 500 or more."""
    cancels: bool = field(default=False, kw_only=True)
    """Whether what the answers' Location names is deleted afterwards."""


def json_quotes(means: Means) -> Iterator[Request]:
    """Send texts that a backtracking expression tries at every quote."""
    body = b'"' + b'\\"' * 60_000 + b"," * 1001
    for _ in range(22):
        yield Request(LEGACY, body, JSON)


def deep_json(means: Means) -> Iterator[Request]:
    """Send lists in lists, to both APIs; with the key of a kept answer they are walked again."""
    near = range(900, 1000) if means.full else range(964, 980)
    for depth in (*near, *DEEPER * means.count(8, 1)):
        nested = b"[" * depth + b"]" * depth
        yield Request(LEGACY, b'{"call":"getAPIMethods","products":%s}' % nested, JSON)
        body = b'{"userId":"u","code":"c","more":%s}' % nested
        key = f"deep-{time.monotonic_ns()}"
        yield means.rest(f"/campaigns/{means.slug}/redeem", body, Idempotency_Key=key)


def multipart(means: Means) -> Iterator[Request]:
    """Send a header as large as a body may be, thousands of parts, and a part without an end."""
    part = b'--%s\r\nContent-Disposition: form-data; name="a"' % BOUNDARY.encode()
    for body in islice(
        cycle(
            (
                part + b"; x=" + b"y" * (LARGEST - 100),
                (part + b"\r\n\r\n1\r\n") * 18_000,
                part + b"\r\n\r\n" + b"\r\n--" * (LARGEST // 4 - 100),
                part + b"\r\n" * (LARGEST // 2 - 100),
                part + b"; x=" + b"y" * TOO_MUCH,
            )
        ),
        means.count(200, 15),
    ):
        yield Request(LEGACY, body, MULTIPART)


def long_ids(means: Means) -> Iterator[Request]:
    """Send long ids, each another, that take four times as much once they are decoded."""
    for at in range(means.count(400, 40)):
        size = LARGEST if at % 8 else TOO_MUCH
        yield Request(
            LEGACY, b"call=x&api_key=k&api_id=\xf0\x9f\x8e\x81%08d" % at + b"i" * (size - 40), FORM
        )
        text = '{"call":"x","api_key":"k","api_id":"\U0001f381' + "i" * (size - 60) + '"}'
        yield Request(LEGACY, text.encode(), JSON)


def long_calls(means: Means) -> Iterator[Request]:
    """Send names of calls that an answer echoes at six times their size."""
    for at in range(means.count(200, 20)):
        size = LARGEST if at % 8 else TOO_MUCH
        yield Request(LEGACY, b"api_id=i&api_key=k&call=%08d" % at + b"\x01" * (size - 40), FORM)


def long_names(means: Means) -> Iterator[Request]:
    """Send arguments with long names, plain and in brackets."""
    for at in range(means.count(200, 20)):
        size = LARGEST if at % 8 else TOO_MUCH
        name = b"%08d" % at + (b"[a]" if at % 2 else b"abc") * (size // 3 - 10)
        yield Request(LEGACY, name + b"=1", FORM)


def long_paths(means: Means) -> Iterator[Request]:
    """Ask for paths of 8 KB where nothing is, each another."""
    for at in range(means.count(10_000, 400)):
        yield Request(f"/{at:08d}{'p' * 7_900}")


def long_lists(means: Means) -> Iterator[Request]:
    """Import numbers that are no codes, by the million and as many as a body holds."""
    head = b'{"slug":"%s","pointsValue":1,"codes":[1' % means.slug.encode()
    for at in range(means.count(80, 16)):
        count = LARGEST // 2 - 100 if at % 8 else 4_000_000
        yield means.rest("/campaigns/codes/import", head + b",1" * (count - 1) + b"]}")


def long_products(means: Means) -> Iterator[Request]:
    """Name products by the million, as a form and as JSON, with an access and without."""
    one = b"&products[]=1"
    known = urlencode(CREDENTIALS | {"call": "validatePromoCode", "code": "NONE"})
    for at in range(means.count(80, 8)):
        target = f"{LEGACY}?{known}" if at % 2 else LEGACY
        size = LARGEST - 100 if at % 8 else TOO_MUCH
        yield Request(target, one * (size // len(one)), FORM)
        yield Request(target, b'{"products":[1' + b",1" * (size // 2) + b"]}", JSON)


def jobs(means: Means) -> Iterator[Request]:
    """Order 5,000,000 codes again and again."""
    for _ in range(means.count(500, 100)):
        body = {"slug": means.slug, "pointsValue": 1, "batchSize": 5_000_000}
        yield means.rest("/campaigns/codes/jobs", json.dumps(body).encode())


def unknown_ids(means: Means) -> Iterator[Request]:
    """Call with ids that nobody has."""
    for at in range(means.count(20_000, 400)):
        yield Request(f"{LEGACY}?call=getHostBillversion&api_key=k&api_id=unknown-{at}")


def made_up_ids(means: Means) -> Iterator[Request]:
    """Lock one id out, then call with others until the lock is forgotten."""
    for _ in range(40):
        yield Request(f"{LEGACY}?call=getHostBillversion&api_id={CREDENTIALS['api_id']}&api_key=k")
    for at in range(means.count(108_000, 400)):
        yield Request(f"{LEGACY}?call=getHostBillversion&api_key=k&api_id=made-up-{at}")


def kept_replies(means: Means) -> Iterator[Request]:
    """Have reports of 10,000 lines kept, each under a key of its own."""
    for at in range(means.count(60, 6)):
        codes = [f"{means.slug}-{at}", *["A" * 32] * (LARGEST_IMPORT - 1)]
        body = _import(means, codes, skipRejected=True)
        yield means.rest("/campaigns/codes/import", body, Idempotency_Key=f"kept-{at}")


def probed_codes(means: Means) -> Iterator[Request]:
    """Import all codes that there may be, to hear which of them others have."""
    for at in range(means.count(100, 3)):
        codes = [
            f"{number:06d}" for number in range(at * LARGEST_IMPORT, (at + 1) * LARGEST_IMPORT)
        ]
        yield means.rest("/campaigns/codes/import", _import(means, codes, skipRejected=True))


def _import(means: Means, codes: list[str], **more: bool) -> bytes:
    body = {"slug": means.slug, "pointsValue": 1, "codes": codes} | more
    return json.dumps(body).encode()


def held(sent: bytes, half_closed: bool, site: Site, means: Means) -> None:
    """Hold connections that send this much, closed on our side or not, until the end."""
    ends = means.ends if means.full else time.monotonic() + 1
    while time.monotonic() < ends:
        with ExitStack() as stack, suppress(OSError):
            for _ in range(HELD):
                connection = stack.enter_context(site.connected(means.address))
                connection.sendall(f"POST {LEGACY} HTTP/1.1\r\nHost: {HOST}\r\n".encode() + sent)
                if half_closed:
                    connection.shutdown(socket.SHUT_WR)
            # The site ends half-closed ones at once; the others are held until the end.
            time.sleep(0.2 if half_closed else max(0, ends - time.monotonic()))


WITHOUT_BODY = b"Content-Length: 1000\r\n\r\n"
KINDS = {
    kind.name: kind
    for kind in (
        Kind("json-quotes", json_quotes),
        Kind("deep-json", deep_json, is_refused=True),
        Kind("multipart", multipart),
        Kind("long-ids", long_ids),
        Kind("long-calls", long_calls),
        Kind("long-names", long_names),
        Kind("long-paths", long_paths),
        Kind("long-lists", long_lists),
        Kind("long-products", long_products),
        Kind("jobs", jobs, rows_a_request=1.5, cancels=True),
        Kind("unknown-ids", unknown_ids, rows_a_request=0.1),
        Kind("made-up-ids", made_up_ids, rows_a_request=0.1),
        Kind("kept-replies", kept_replies),
        Kind("probed-codes", probed_codes),
        Kind("held-threads", does=partial(held, WITHOUT_BODY, False)),
        Kind("half-closed-bodies", does=partial(held, WITHOUT_BODY + b"x", True)),
        Kind("half-closed-headers", does=partial(held, b"Conte", True)),
    )
}
