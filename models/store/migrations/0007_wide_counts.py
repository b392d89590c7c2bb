"""Widen the counts of batches: what an import brought is near the end of 32 bits, and grows."""

from peewee import PostgresqlDatabase, SqliteDatabase

COLUMNS = ("coupons_count", "coupons_used", "carried_count", "carried_used", "revision")


def up(migrator, db):
    """Make the columns as wide as SQLite has them already."""
    if isinstance(db, SqliteDatabase):
        return
    change = (
        "ALTER {} TYPE BIGINT"
        if isinstance(db, PostgresqlDatabase)
        else "MODIFY {} BIGINT NOT NULL"
    )
    db.execute_sql("ALTER TABLE batch " + ", ".join(change.format(name) for name in COLUMNS))
