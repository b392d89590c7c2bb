"""Pages are byte for byte the same with and without the cache, in several processes at once."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlencode

from models.promotions import batch_life
from models.promotions.terms import Terms
from tests.credentials import CREDENTIALS
from tests.models.promotions.test_life_at_random import Life
from tests.serving import Server, served

STEPS = 40
SERVER_TIME = re.compile(rb'"server_time":[0-9]+')


def page(server: Server, number: int) -> bytes:
    """Return a page of the list of batches without the time it was made at."""
    arguments = CREDENTIALS | {"call": "listPromoBatches"}
    reply = server.get(urlencode(arguments | {"perpage": "4", "page": str(number)}))
    assert reply.status == 200
    body, times = SERVER_TIME.subn(b"", reply.body)
    assert times == 1
    assert body.startswith(b'{"success":true')
    return body


def test_a_kept_page_is_what_would_be_made_now(folder: Path) -> None:
    life = Life(11)
    batch_life.make("Batch", Terms.of(), 3)
    seen = set()
    with (
        served(folder) as keeping,
        served(folder, PROMOBRIDGE_FRAGMENT_CACHE_BYTES="0") as forgetting,
    ):
        for step in range(STEPS):
            life.step()
            number = step % 2
            fresh = page(forgetting, number)
            # Two workers with a cache each: the later answers come from what the first ones kept.
            assert {page(keeping, number) for _ in range(3)} == {fresh}
            seen.add(fresh)
    assert len(seen) > STEPS / 3
