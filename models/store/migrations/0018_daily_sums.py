"""Keep the uses of each day and how many codes of a batch were used; fill both."""

from peewee import (
    SQL,
    BigIntegerField,
    DateField,
    IntegerField,
    Model,
    MySQLDatabase,
    PostgresqlDatabase,
    SmallIntegerField,
)
from playhouse.migrate import migrate

from models.store.base import LastingId

# The zone of an installation is a setting of its processes; days of before are those of UTC.
DAYS = {
    "postgresql": "(DATE '1970-01-01' + CAST(redeemed_at / 86400 AS INTEGER))",
    "mariadb": "DATE_ADD('1970-01-01', INTERVAL redeemed_at DIV 86400 DAY)",
    "sqlite": "date(redeemed_at, 'unixepoch')",
}
OFF = " + ".join(
    f"ROUND(COALESCE(CAST({column} AS DECIMAL(30,4)), 0) * 10000)"
    for column in ("discount", "setup_discount")
)
WHOLE = {"postgresql": "BIGINT", "mariadb": "SIGNED", "sqlite": "INTEGER"}
INDEXES = {
    "redemption_order_id_id": "order_id, id",
    "redemption_user_id_id": "user_id, id",
}


def up(migrator, db):
    """Add the columns, the table and the indexes."""

    class DailySum(Model):
        id = LastingId()
        batch_id = IntegerField()
        day = DateField()
        share = SmallIntegerField()
        uses = BigIntegerField()
        discount = BigIntegerField()

        class Meta:
            database = db
            table_name = "daily_sum"
            indexes = ((("batch_id", "day", "share"), True), (("day",), False))

    if "codes_used" not in {column.name for column in db.get_columns("batch")}:
        field = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])
        migrate(migrator.add_column("batch", "codes_used", field))
    if "day" not in {column.name for column in db.get_columns("redemption")}:
        migrate(migrator.add_column("redemption", "day", DateField(null=True)))
    db.create_tables([DailySum])
    engine = "sqlite"
    if isinstance(db, PostgresqlDatabase):
        engine = "postgresql"
    elif isinstance(db, MySQLDatabase):
        engine = "mariadb"
    db.execute_sql(
        "UPDATE batch SET codes_used ="
        " (SELECT COUNT(*) FROM coupon WHERE coupon.batch_id = batch.id AND num_usage > 0)"
    )
    db.execute_sql(f"UPDATE redemption SET day = {DAYS[engine]} WHERE day IS NULL")  # noqa: S608  # ours
    db.execute_sql("DELETE FROM daily_sum")
    share = "CASE WHEN batch_id = 0 THEN coupon_id & 15 ELSE 0 END"
    db.execute_sql(
        "INSERT INTO daily_sum (batch_id, day, share, uses, discount)"  # noqa: S608  # ours
        f" SELECT batch_id, day, {share}, COUNT(*), CAST(SUM({OFF}) AS {WHOLE[engine]})"
        f" FROM redemption WHERE state = 'used' GROUP BY batch_id, day, {share}"
    )
    known = {index.name for index in db.get_indexes("redemption")}
    for name, columns in INDEXES.items():
        if name not in known:
            db.execute_sql(f"CREATE INDEX {name} ON redemption ({columns})")
