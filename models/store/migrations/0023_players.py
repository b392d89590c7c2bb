"""Keep what leaderboards show of players, and how many there are in each band of points."""

from collections import Counter
from typing import Any

from peewee import SQL, BigIntegerField, CharField, IntegerField, Model, Table, fn
from playhouse.migrate import migrate

from models.store.base import LastingId

EXACT_BITS = 7
ROWS = 500


def up(migrator, db):
    """Add the columns, fill them from the redemptions, and count the bands."""

    class PlayerBand(Model):
        id = LastingId()
        campaign_id = IntegerField()
        band = IntegerField()
        players = IntegerField()

        class Meta:
            database = db
            table_name = "player_band"
            indexes = ((("campaign_id", "band"), True),)

    # Any of it may be there where this step was broken off.
    known = {column.name for column in db.get_columns("player")}
    columns = {
        "events": IntegerField(default=0, constraints=[SQL("DEFAULT 0")]),
        "display_name": CharField(max_length=255, null=True),
        "joined_at": BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")]),
    }
    for name, field in columns.items():
        if name not in known:
            migrate(migrator.add_column("player", name, field))
    player: Any = Table("player", ("campaign_id", "user_id", "points", "events", "joined_at"))
    player = player.bind(db)
    use: Any = Table("redemption", ("campaign_id", "user_id", "state", "redeemed_at"))
    own = (use.campaign_id == player.campaign_id) & (use.user_id == player.user_id)
    first = use.select(fn.COALESCE(fn.MIN(use.redeemed_at), 0)).where(own)
    standing = use.select(fn.COUNT(use.redeemed_at)).where(own, use.state == "used")
    player.update({player.events: standing, player.joined_at: first}).execute()
    db.create_tables([PlayerBand])
    PlayerBand.delete().execute()
    counts: Counter[tuple[int, int]] = Counter()
    rows = player.select(player.campaign_id, player.points, fn.COUNT(player.user_id))
    for campaign_id, points, players in rows.group_by(player.campaign_id, player.points).tuples():
        counts[campaign_id, _band_of(points)] += players
    bands = [(*key, players) for key, players in sorted(counts.items())]
    fields: Any = [PlayerBand.campaign_id, PlayerBand.band, PlayerBand.players]
    for at in range(0, len(bands), ROWS):
        PlayerBand.insert_many(bands[at : at + ROWS], fields=fields).execute()
    if ["campaign_id", "points"] not in [index.columns for index in db.get_indexes("player")]:
        migrate(migrator.add_index("player", ["campaign_id", "points"]))


def _band_of(points: int) -> int:
    """Return the band of points as it was when this step was written."""
    spare = max(0, points.bit_length() - EXACT_BITS)
    return max(0, (spare << EXACT_BITS - 1) + (points >> spare))
