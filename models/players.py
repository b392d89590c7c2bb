"""Players: how many points each user has earned in each campaign."""

from __future__ import annotations

from peewee import BigIntegerField, CharField, IntegerField

from models.base import Row

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
    raised = Player.update(points=Player.points + points).where(*_one(campaign_id, user_id))
    if raised.execute():
        return
    new = Player.insert(campaign_id=campaign_id, user_id=user_id, points=points)
    if not new.on_conflict_ignore().as_rowcount().execute():
        raised.execute()  # the user's first two codes came at once


def points(campaign_id: int, user_id: str) -> int:
    """Return the points of a user in a campaign."""
    found = Player.get_or_none(*_one(campaign_id, user_id))
    return found.points if found else 0


def _one(campaign_id: int, user_id: str) -> tuple[object, ...]:
    return Player.campaign_id == campaign_id, Player.user_id == user_id
