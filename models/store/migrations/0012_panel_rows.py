"""Mark rows of another installation, reserve their ids, and keep what a walk of it has read."""

from peewee import BigIntegerField, BlobField, BooleanField, CharField, Model
from playhouse.migrate import migrate

from models.store.base import LastingId

MARKED = ("batch", "coupon")


def up(migrator, db):
    """Create the tables and add the columns; a column may be there where this was broken off."""

    class OwnIds(Model):
        name = CharField(max_length=32, primary_key=True)
        first = BigIntegerField()

        class Meta:
            database = db
            table_name = "own_ids"

    class PanelWalk(Model):
        id = LastingId()
        started_at = BigIntegerField()
        finished_at = BigIntegerField(null=True)
        batches = BigIntegerField()
        coupons = BigIntegerField()

        class Meta:
            database = db
            table_name = "panel_walk"

    class PanelAnswer(Model):
        id = LastingId()
        walk_id = BigIntegerField()
        kind = CharField(max_length=16)
        number = BigIntegerField()
        body = BlobField()

        class Meta:
            database = db
            table_name = "panel_answer"
            indexes = ((("walk_id", "kind", "number"), True),)

    db.create_tables([OwnIds, PanelWalk, PanelAnswer])
    # Rows that are there stay unmarked: who brought them is not known. The next import or walk
    # that brings the same row marks it.
    for table in MARKED:
        if "imported" not in {column.name for column in db.get_columns(table)}:
            migrate(migrator.add_column(table, "imported", BooleanField(null=True)))
