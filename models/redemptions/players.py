"""Users who take part in campaigns: their points, and the ranks that follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from peewee import SQL, BigIntegerField, CharField, IntegerField, fn

from models.store import clock
from models.store.base import Row
from models.store.prepared import Prepared, slot

USER_LENGTH = NAME_LENGTH = 255
EXACT_BITS = 7
"""Points of so many binary digits have a band for each number, more points share their first."""


class Player(Row):
    """Keep the points of one user in one campaign and how many redemptions of theirs stand.

    A user whose redemptions were all rolled back stays a participant, with 0 points.
    `joined_at` is the time of the first one, in Unix seconds.
    """

    campaign_id = IntegerField()
    user_id = CharField(max_length=USER_LENGTH)
    points = BigIntegerField(default=0)
    events = IntegerField(default=0)
    display_name = CharField(max_length=NAME_LENGTH, null=True)
    joined_at = BigIntegerField(default=0)

    class Meta:
        indexes = (
            (("campaign_id", "user_id"), True),
            (("campaign_id", "points"), False),
        )


class PlayerBand(Row):
    """Keep how many players of a campaign have points in one band, so that ranks are cheap.

    Bands are ranges of points, in their order; each is a 64th of its points wide.
    """

    campaign_id = IntegerField()
    band = IntegerField()
    players = IntegerField(default=0)

    class Meta:
        indexes = ((("campaign_id", "band"), True),)


@dataclass(frozen=True)
class Standing:
    """Hold a player with the rank, from 1; equal points share one."""

    player: Player
    rank: int


def band_of(points: int) -> int:
    """Return the number of the band of points: higher for more of them, 0 for none."""
    spare = max(0, points.bit_length() - EXACT_BITS)
    return max(0, (spare << EXACT_BITS - 1) + (points >> spare))


def least_above(band: int) -> int:
    """Return the fewest points that belong to a higher band."""
    band += 1
    spare = max(0, (band >> EXACT_BITS - 1) - 1)
    return band - (spare << EXACT_BITS - 1) << spare


def add(campaign_id: int, user_id: str, points: int, sign: int = 1) -> None:
    """Count a redemption (1) and its points, or that it was taken back (-1), in its transaction.

    The row is made when there is none.
    """
    points *= sign
    one = {"campaign_id": campaign_id, "user_id": user_id}
    values = one | {"points": points, "events": sign}
    if not _raise.changed(**values):
        if _insert.changed(**values, joined_at=clock.now()):
            _count(campaign_id, band_of(points), 1)
            return
        _raise.changed(**values)  # the user's first two codes came at once
    now = _points.rows(**one)[0][0]
    before, after = band_of(now - points), band_of(now)
    if before != after:
        # In one order always, so that two do not wait for each other.
        for band, players in sorted(((before, -1), (after, 1))):
            _count(campaign_id, band, players)


def name(campaign_id: int, user_id: str, display_name: str) -> None:
    """Keep how a player wants to be called; the last name told counts."""
    same = Player.campaign_id == campaign_id, Player.user_id == user_id
    Player.update(display_name=display_name).where(*same).execute()


def points(campaign_id: int, user_id: str) -> int:
    """Return the points of a user in a campaign."""
    row = _points.first(campaign_id=campaign_id, user_id=user_id)
    return row[0] if row else 0


def standing(campaign_id: int, user_id: str) -> Standing | None:
    """Return a player of a campaign with the rank, None where there is none."""
    player = Player.get_or_none(Player.campaign_id == campaign_id, Player.user_id == user_id)
    return None if player is None else Standing(player, _rank(campaign_id, player.points))


def leaders(campaign_id: int, limit: int) -> list[Standing]:
    """Return the players with the most points, of equal ones those who joined last first."""
    order = Player.points.desc(), Player.id.desc()
    found = list(
        Player.select().where(Player.campaign_id == campaign_id).order_by(*order).limit(limit)
    )
    ranks: dict[int, int] = {}
    for place, player in enumerate(found, 1):
        ranks.setdefault(player.points, place)
    return [Standing(player, ranks[player.points]) for player in found]


def participants(campaign_id: int) -> int:
    """Return how many players a campaign has, as the bands count them."""
    return _sum(PlayerBand.campaign_id == campaign_id)


def _rank(campaign_id: int, own: int) -> int:
    band = band_of(own)
    above = _sum((PlayerBand.campaign_id == campaign_id) & (PlayerBand.band > band))
    beside = Player.select(fn.COUNT(SQL("1"))).where(
        Player.campaign_id == campaign_id,
        Player.points > own,
        Player.points < least_above(band),
    )
    return 1 + above + int(beside.scalar())


def _sum(which: Any) -> int:
    return int(PlayerBand.select(fn.COALESCE(fn.SUM(PlayerBand.players), 0)).where(which).scalar())


def _count(campaign_id: int, band: int, players: int) -> None:
    values = {"campaign_id": campaign_id, "band": band, "players": players}
    if not (_raise_band.changed(**values) or _insert_band.changed(**values)):
        _raise_band.changed(**values)


_ONE = (Player.campaign_id == slot("campaign_id"), Player.user_id == slot("user_id"))
_points = Prepared(lambda: Player.select(Player.points).where(*_ONE))
_raise = Prepared(
    lambda: Player.update(
        points=Player.points + slot("points"), events=Player.events + slot("events")
    ).where(*_ONE)
)
_insert = Prepared(
    lambda: (
        Player.insert(
            campaign_id=slot("campaign_id"),
            user_id=slot("user_id"),
            points=slot("points"),
            events=slot("events"),
            joined_at=slot("joined_at"),
        )
        .on_conflict_ignore()
        .as_rowcount()
    )
)
_BAND = (PlayerBand.campaign_id == slot("campaign_id"), PlayerBand.band == slot("band"))
_raise_band = Prepared(
    lambda: PlayerBand.update(players=PlayerBand.players + slot("players")).where(*_BAND)
)
_insert_band = Prepared(
    lambda: (
        PlayerBand.insert(
            campaign_id=slot("campaign_id"), band=slot("band"), players=slot("players")
        )
        .on_conflict_ignore()
        .as_rowcount()
    )
)
