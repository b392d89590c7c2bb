"""Points that users have earned in campaigns."""

from __future__ import annotations

from peewee import BigIntegerField, CharField, IntegerField

from models.store.base import Row
from models.store.prepared import Prepared, slot

USER_LENGTH = 255


class Player(Row):
    """Keep the points of one user in one campaign."""

    campaign_id = IntegerField()
    user_id = CharField(max_length=USER_LENGTH)
    points = BigIntegerField(default=0)

    class Meta:
        indexes = ((("campaign_id", "user_id"), True),)


def add(campaign_id: int, user_id: str, points: int) -> None:
    """Add points, which may be negative; the row is made when there is none."""
    values = {"campaign_id": campaign_id, "user_id": user_id, "points": points}
    if _raise.changed(**values) or _insert.changed(**values):
        return
    _raise.changed(**values)  # the user's first two codes came at once


def points(campaign_id: int, user_id: str) -> int:
    """Return the points of a user in a campaign."""
    row = _points.first(campaign_id=campaign_id, user_id=user_id)
    return row[0] if row else 0


_ONE = (Player.campaign_id == slot("campaign_id"), Player.user_id == slot("user_id"))
_points = Prepared(lambda: Player.select(Player.points).where(*_ONE))
_raise = Prepared(lambda: Player.update(points=Player.points + slot("points")).where(*_ONE))
_insert = Prepared(
    lambda: (
        Player.insert(
            campaign_id=slot("campaign_id"), user_id=slot("user_id"), points=slot("points")
        )
        .on_conflict_ignore()
        .as_rowcount()
    )
)
