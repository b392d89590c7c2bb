"""Players of before there were ranks: the migration fills what is kept of them."""

from __future__ import annotations

from datetime import date
from importlib import import_module

from playhouse.migrate import SchemaMigrator

from app.config import Settings
from models.campaigns import campaign_codes, campaign_making, campaigns
from models.campaigns.campaign_making import Plan
from models.checks import recount
from models.promotions.campaign_counts import Owner
from models.redemptions import players
from models.redemptions.players import Player, PlayerBand
from models.store.base import database

TODAY = date(2030, 1, 1)


def test_what_is_kept_of_players_is_filled_from_their_redemptions(store: Settings) -> None:
    for slug, points in (("one", 5), ("two", 900)):
        campaign = campaigns.add(Owner(), slug, "Promo")
        _, codes = campaign_making.generate(campaign, 4, Plan(points))
        done = [
            campaign_codes.redeem(Owner(), slug, user, code, TODAY)
            for user, code in zip(("anna", "anna", "eva", "otto"), codes, strict=True)
        ]
        campaign_codes.roll_back(Owner(), slug, done[3].redemption.uuid or "", TODAY)
    before = [tuple(row) for row in Player.select().order_by(Player.id).tuples()]
    bands = sorted(tuple(row)[1:] for row in PlayerBand.select().tuples())
    Player.update(events=0, joined_at=0).execute()
    PlayerBand.update(players=7).execute()
    assert list(recount.differences()) != []
    migration = import_module("models.store.migrations.0023_players")
    migration.up(SchemaMigrator.from_database(database.obj), database.obj)
    assert [tuple(row) for row in Player.select().order_by(Player.id).tuples()] == before
    kept = {row[:2]: row[2] for row in bands if row[2]}
    now = PlayerBand.select(PlayerBand.campaign_id, PlayerBand.band, PlayerBand.players)
    assert {tuple(row[:2]): row[2] for row in now.tuples()} == kept
    assert list(recount.differences()) == []
    assert players.participants(campaign.id) == 3
