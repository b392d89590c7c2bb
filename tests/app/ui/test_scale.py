"""What a page reads does not grow with the store, nor does its size pass a bound."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import create_app, db
from app.config import Settings
from app.ui import timeline
from models.redemptions.redemption_search import conditions, slices
from models.store import clock
from models.store.base import database
from tests.app.ui.crawl import crawled, kind
from tests.app.ui.people import Person
from tests.bench.pages import ASKED, LINEAR, MOST_BYTES, fill
from tests.visits import visits

BATCHES, CODES_EACH, USES = 60, 100, 3_000
"""More than a page of each list holds."""
LOOKED = 60
"""More than a page has, and far less than these stores."""
SLICE, DAY = 100, 86_400
NOISE = 200
"""Tens of SQLite's steps: a deeper index, another plan for a few rows."""


def test_a_page_reads_no_more_of_a_store_four_times_as_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "LOOKED", LOOKED)
    small = read(tmp_path / "small.db", 1)
    large = read(tmp_path / "large.db", 2)
    assert set(small) <= set(large)
    grown = {
        page: (steps, large[page]) for page, steps in small.items() if large[page] > grown_to(steps)
    }
    assert not grown


def grown_to(steps: int) -> float:
    """Return the most that so many steps may become: a scan would need four times as many."""
    return steps * 1.5 + NOISE


def read(path: Path, scale: int) -> dict[str, int]:
    """Return how much each kind of page reads of a store, twice as large in both directions."""
    each = CODES_EACH * scale
    fill(path, BATCHES * scale * each, USES * scale**2, each)
    app = create_app(Settings(database_url=f"sqlite:///{path}"))
    with database.connection_context():
        admin = Person(app, "admin")
    seen = {}
    for address in (*crawled(admin), *(each for each in ASKED if each not in LINEAR)):

        def show(address: str = address) -> None:
            response = admin.get(address, follow_redirects=True)
            assert response.status_code == 200
            assert len(response.data) < MOST_BYTES, address

        with database.connection_context():
            show()
        database.connect(reuse_if_open=True)
        seen[kind(address) if address not in ASKED else address] = visits(show)
    app.config["USAGE_LOG"].close()
    database.close_all()
    return seen


def test_a_download_of_some_days_reads_each_use_once(tmp_path: Path) -> None:
    def steps(uses: int) -> int:
        path = tmp_path / f"{uses}.db"
        fill(path, CODES_EACH, uses, CODES_EACH)
        bound = db.bind(Settings(database_url=f"sqlite:///{path}"))
        days = {"since": clock.now() - 300 * DAY, "before": clock.now() - 100 * DAY}
        with bound.connection_context():
            found = visits(lambda: [*slices(conditions(**days), SLICE)])
        bound.close_all()
        return found

    # Sorted anew for each slice, four times as many would take sixteen times as long.
    assert steps(4 * USES) < 6 * steps(USES)
