"""How long leaderboards and ranks take: `python -m tests.bench.players --players 1000000`.

The time of the queries, on the engine that PROMOBRIDGE_TEST_DATABASE_URL picks, beside the count of
all players with more points, which is what a rank would be without kept bands.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from peewee import SQL, chunked, fn

from app import db
from app.config import Settings
from models.redemptions import players
from models.redemptions.players import Player, PlayerBand, band_of
from models.store.base import change, database
from tests import stores

CAMPAIGN, ROUNDS, ROWS = 1, 15, 5000
MOST_OF_BOARD_MS, MOST_OF_RANK_MS = 10, 50


def main() -> None:
    """Fill a store, print medians with their spread, and end with 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--players", type=int, default=1_000_000, help="how many take part")
    count = parser.parse_args().players
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        url = stores.url(Path(folder))
        stores.make(url)
        bound = db.bind(Settings(database_url=url))
        with bound.connection_context():
            _fill(count)
            missed |= _timed("top 100", lambda: players.leaders(CAMPAIGN, 100), MOST_OF_BOARD_MS)
            for share in (0, 50, 99):
                place = count * share // 100
                [own] = Player.select().order_by(Player.points.desc()).offset(place).limit(1)
                found = players.standing(CAMPAIGN, own.user_id)
                assert found is not None
                assert found.rank == _counted(own.points) + 1
                what = f"rank {found.rank:,} of {count:,}"
                user_id, points = own.user_id, own.points
                missed |= _timed(
                    what, lambda user=user_id: players.standing(CAMPAIGN, user), MOST_OF_RANK_MS
                )
                _timed(f"{what}, by counting", lambda own=points: _counted(own), None)
        bound.close_all()
        stores.release(Path(folder))
    stores.stop()
    raise SystemExit(missed)


def _counted(points: int) -> int:
    above = Player.select(fn.COUNT(SQL("1"))).where(
        Player.campaign_id == CAMPAIGN, Player.points > points
    )
    return int(above.scalar())


def _timed(what: str, ask: Callable[[], object], most: int | None) -> bool:
    """Print how long something takes; tell whether that is more than it may."""
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - began) * 1000)
    median = statistics.median(taken)
    verdict = "" if most is None else f", at most {most} ms {'missed' if median > most else 'ok'}"
    print(f"{what}: {median:.2f} ms ({min(taken):.2f}-{max(taken):.2f}){verdict}", flush=True)  # noqa: T201
    return most is not None and median > most


def _fill(count: int) -> None:
    chance = random.Random(7)  # noqa: S311  # points of a benchmark
    bands: Counter[int] = Counter()
    rows = []
    for number in range(count):
        points = chance.randrange(1, 200_000)
        bands[band_of(points)] += 1
        rows.append((CAMPAIGN, f"user-{number}", points, 1, 1))
    fields = [Player.campaign_id, Player.user_id, Player.points, Player.events, Player.joined_at]
    with change():
        for some in chunked(rows, ROWS):
            Player.insert_many(some, fields=fields).execute()
        kept = [(CAMPAIGN, band, held) for band, held in bands.items()]
        PlayerBand.insert_many(
            kept, fields=[PlayerBand.campaign_id, PlayerBand.band, PlayerBand.players]
        ).execute()
    if "postgresql" in stores.PICKED:
        database.execute_sql("VACUUM ANALYZE player")


if __name__ == "__main__":
    main()
