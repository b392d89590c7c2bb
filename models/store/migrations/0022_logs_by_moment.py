"""Keep the calls of each day and the quota of refused tries; list the logs by their moments."""

from typing import Any

from peewee import (
    SQL,
    BigIntegerField,
    Case,
    CharField,
    Expression,
    IntegerField,
    Model,
    MySQLDatabase,
    Table,
    Value,
    fn,
)
from playhouse.migrate import migrate

from models.store.base import LastingId

DAY_SECONDS = 86_400
NEW: dict[str, Any] = {
    "api_usage": [("at", "id")],
    "refused_try": [
        ("at", "id"),
        ("coupon_id", "at", "id"),
        ("client_id", "at", "id"),
        ("user_id", "at", "id"),
        ("reason", "at", "id"),
    ],
    "audit_entry": [("at", "id"), ("actor", "at", "id")],
    "redemption": [("released_at", "id")],
}
OLD: dict[str, Any] = {
    "api_usage": [("at", "id", "api_id", "call", "route", "success")],
    "refused_try": [("at",), ("coupon_id", "id"), ("client_id", "id"), ("reason", "id")],
    "audit_entry": [("at",), ("actor", "id")],
}


def up(migrator, db):
    """Make the tables, fill them from the logs, and put other indexes in the place of some."""

    class DailyCalls(Model):
        id = LastingId()
        day = BigIntegerField()
        api_id = CharField(max_length=128)
        call = CharField(max_length=64)
        route = CharField(max_length=16)
        calls = BigIntegerField()
        failed = BigIntegerField()
        last = BigIntegerField()

        class Meta:
            database = db
            table_name = "daily_calls"
            indexes = ((("day", "api_id", "call", "route"), True),)

    class RefusedQuota(Model):
        id = LastingId()
        day = BigIntegerField()
        share = CharField(max_length=160)
        kept = IntegerField()

        class Meta:
            database = db
            table_name = "refused_quota"
            indexes = ((("day", "share"), True),)

    # Any of it may be there where this step was broken off.
    db.create_tables([DailyCalls, RefusedQuota])
    usage: Any = Table("api_usage", ("at", "api_id", "call", "route", "success")).bind(db)
    day: Any = _day(db, usage.at)
    key = usage.api_id, usage.call, usage.route
    failed = fn.SUM(Case(None, [(usage.success == True, 0)], 1))  # noqa: E712  # SQL
    rows: Any = usage.select(day, *key, fn.COUNT(usage.at), failed, fn.MAX(usage.at)).group_by(
        day, *key
    )
    DailyCalls.delete().execute()
    DailyCalls.insert_from(rows, _columns(DailyCalls)).execute()
    tries: Any = Table("refused_try", ("at", "reason")).bind(db)
    day = _day(db, tries.at)
    kept: Any = tries.select(day, Value("all"), fn.COUNT(tries.at)).where(
        tries.reason != "over_quota"
    )
    RefusedQuota.delete().execute()
    RefusedQuota.insert_from(kept.group_by(SQL("day")), _columns(RefusedQuota)).execute()
    for table, indexes in NEW.items():
        known: Any = {tuple(index.columns): index.name for index in db.get_indexes(table)}
        for columns in indexes:
            if columns not in known:
                migrate(migrator.add_index(table, columns))
        for columns in OLD.get(table, ()):
            if columns in known:
                migrate(migrator.drop_index(table, known[columns]))


def _columns(table: Any) -> Any:
    return table._meta.sorted_fields[1:]


def _day(db: Any, moment: Any) -> Any:
    """Return when the day of a moment begins."""
    divided = "div" if isinstance(db, MySQLDatabase) else "/"
    return (Expression(moment, divided, DAY_SECONDS) * DAY_SECONDS).alias("day")
