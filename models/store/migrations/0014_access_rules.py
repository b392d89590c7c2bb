"""Make room for several address rules of an access; make what learning a panel's pairs needs."""

from peewee import BigIntegerField, CharField, Model, PostgresqlDatabase, SqliteDatabase
from playhouse.migrate import migrate

from models.store.base import LastingId


def up(migrator, db):
    """Widen the column, add that of provisional accesses, and create the table."""

    class PanelLearning(Model):
        id = LastingId()
        networks = CharField(max_length=2048)
        ends_at = BigIntegerField()
        older_try = BigIntegerField()
        newer_try = BigIntegerField()

        class Meta:
            database = db
            table_name = "panel_learning"

    if not isinstance(db, SqliteDatabase):  # which keeps texts of any length
        kind = "TYPE VARCHAR(2048)" if isinstance(db, PostgresqlDatabase) else "VARCHAR(2048)"
        change = f"ALTER ip_rule {kind}" if "TYPE" in kind else f"MODIFY ip_rule {kind} NOT NULL"
        db.execute_sql(f"ALTER TABLE access {change}")
    if "learned_until" not in {column.name for column in db.get_columns("access")}:
        migrate(migrator.add_column("access", "learned_until", BigIntegerField(null=True)))
    db.create_tables([PanelLearning])
