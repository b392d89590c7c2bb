"""Make the tables of kept replies and of the API usage log."""

from peewee import (
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    Model,
)

from models.store.base import LastingId


def up(migrator, db):
    """Create the tables."""

    class Reply(Model):
        id = LastingId()
        scope = CharField(max_length=200)
        key = CharField(max_length=64)
        arguments = CharField(max_length=64)
        body = BlobField()
        refusal = CharField(max_length=64)
        made_at = BigIntegerField()

        class Meta:
            database = db
            table_name = "reply"
            indexes = ((("scope", "key"), True), (("made_at",), False))

    class ApiUsage(Model):
        id = LastingId()
        at = BigIntegerField()
        call = CharField(max_length=64)
        success = BooleanField()
        message = CharField(max_length=255)
        api_id = CharField(max_length=128)
        address = CharField(max_length=64)

        class Meta:
            database = db
            table_name = "api_usage"
            indexes = (
                (("at", "id"), False),
                (("api_id", "at", "id"), False),
                (("call", "at", "id"), False),
            )

    class Tally(Model):
        name = CharField(max_length=32, primary_key=True)
        n = BigIntegerField()

        class Meta:
            database = db
            table_name = "tally"

    db.create_tables([Reply, ApiUsage])
    Tally.insert(name="api_usage", n=0).on_conflict_ignore().execute()
