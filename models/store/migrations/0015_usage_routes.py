"""Note who answered each call of the usage log, and keep the names of calls that are not ours."""

from peewee import CharField, IntegerField, Model
from playhouse.migrate import migrate

SUMMARY = ("at", "id", "api_id", "call", "route", "success")


def up(migrator, db):
    """Add the column and the table; a wider index takes the place of the one by time."""

    class CallName(Model):
        place = IntegerField(primary_key=True)
        name = CharField(max_length=64, unique=True)

        class Meta:
            database = db
            table_name = "call_name"

    # Any of it may be there where this step was broken off. With a default, no engine rewrites
    # the rows: those of earlier versions were all answered here.
    db.create_tables([CallName])
    if "route" not in {column.name for column in db.get_columns("api_usage")}:
        db.execute_sql(
            "ALTER TABLE api_usage ADD COLUMN route VARCHAR(16) NOT NULL DEFAULT 'local'"
        )
    indexes = {tuple(index.columns): index.name for index in db.get_indexes("api_usage")}
    if SUMMARY not in indexes:
        migrate(migrator.add_index("api_usage", SUMMARY))
    if ("at", "id") in indexes:
        migrate(migrator.drop_index("api_usage", indexes["at", "id"]))
