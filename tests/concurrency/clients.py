"""Many clients at once, each with a connection of its own, and the arena that they meet in."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from app import db
from app.config import Settings
from models.access import accesses
from models.checks import recount
from models.promotions import batch_life
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from tests import stores
from tests.credentials import CREDENTIALS, PAIR
from tests.waiting import SECONDS

Answered = TypeVar("Answered")


class Client:
    """Speak to the API over one connection that is kept, opened again after it was lost."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.connection = HTTPConnection(*address, timeout=SECONDS)

    def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Return the envelope; the status is 200 whatever happens to other clients.

        Raises OSError and HTTPException when no answer comes.
        """
        body = urlencode(CREDENTIALS | {"call": name} | arguments)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            self.connection.request("POST", "/admin/api.php", body, headers)
            answer = self.connection.getresponse()
            said = answer.read()
        except BaseException:
            self.connection.close()
            raise
        assert answer.status == 200, said
        envelope: dict[str, Any] = json.loads(said)
        return envelope


@contextmanager
def bound_store(folder: Path, ip_rule: str = "all") -> Iterator[None]:
    """Bind the models to a new store in the folder that knows PAIR, for some addresses."""
    url = stores.url(folder)
    stores.make(url)
    bound = db.bind(Settings(database_url=url))
    with bound.connection_context():
        accesses.add("tests", PAIR, ip_rule)
        yield
    bound.close_all()
    stores.release(folder)


def at_once(
    address: tuple[str, int], count: int, work: Callable[[Client, int], Answered]
) -> list[Answered]:
    """Return what so many clients got who all began in the same moment."""
    gate = threading.Barrier(count)

    def one(number: int) -> Answered:
        client = Client(address)
        client.connection.connect()
        gate.wait(SECONDS)
        try:
            return work(client, number)
        finally:
            client.connection.close()

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(one, range(count)))


def batch_of(size: int, **terms: Any) -> tuple[Batch, list[str]]:
    """Return a new batch and its codes."""
    batch = batch_life.make("Arena", Terms.of(**terms), size)
    codes = Coupon.select(Coupon.code).where(Coupon.batch_id == batch.id).order_by(Coupon.id)
    return batch, [code for (code,) in codes.tuples()]


def assert_counts_are_right() -> None:
    """Compare everything that is kept with a recount."""
    assert list(recount.differences()) == []
