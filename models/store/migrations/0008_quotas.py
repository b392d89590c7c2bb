"""Make the tables of what callers may have: open jobs, and bytes of kept replies."""

from peewee import BigIntegerField, CharField, Model, SmallIntegerField
from playhouse.migrate import migrate

from models.store.base import LastingId


def up(migrator, db):
    """Create the tables; name the share of each kept reply."""

    class JobQueue(Model):
        id = LastingId()
        environment = SmallIntegerField()
        partner = CharField(max_length=255)
        orders = BigIntegerField()

        class Meta:
            database = db
            table_name = "job_queue"
            indexes = ((("environment", "partner"), True),)

    class ReplyShare(Model):
        name = CharField(max_length=32, primary_key=True)
        size = BigIntegerField()

        class Meta:
            database = db
            table_name = "reply_share"

    db.create_tables([JobQueue, ReplyShare])
    # It is there where this step was broken off. Replies of earlier versions have none.
    if "share" not in {column.name for column in db.get_columns("reply")}:
        migrate(migrator.add_column("reply", "share", CharField(max_length=32, null=True)))
