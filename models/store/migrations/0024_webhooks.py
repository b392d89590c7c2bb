"""Make the tables of webhooks, of events and of their deliveries."""

from typing import Any

from peewee import BigIntegerField, BooleanField, CharField, IntegerField, Model, TextField
from peewee import SmallIntegerField as SmallInteger
from playhouse.migrate import migrate

from models.store.base import LastingId


def up(migrator, db):
    """Create the tables, and the index by which a sweep finds what has expired."""

    class Base(Model):
        id = LastingId()

        class Meta:
            database = db
            legacy_table_names = False

    class Webhook(Base):
        uuid = CharField(max_length=36, unique=True)
        url = CharField(max_length=2000)
        events = TextField()
        format = CharField(max_length=16)
        environment = SmallInteger()
        partner = CharField(max_length=255, null=True)
        full_codes = BooleanField()
        networks = TextField()
        secret = TextField()
        old_secret = TextField(null=True)
        old_secret_until = BigIntegerField(null=True)
        enabled = BooleanField()
        disabled_why = CharField(max_length=255)
        failing_since = BigIntegerField(null=True)
        held_by = CharField(max_length=36)
        held_until = BigIntegerField()
        created_at = BigIntegerField()

    class WebhookEvent(Base):
        uuid = CharField(max_length=36, unique=True)
        kind = CharField(max_length=32)
        environment = IntegerField()
        partner = CharField(max_length=255, null=True)
        data = TextField()
        once = CharField(max_length=96, null=True, unique=True)
        at = BigIntegerField()

        class Meta:
            indexes = ((("at", "id"), False),)

    class WebhookDelivery(Base):
        webhook_id = IntegerField()
        event_id = IntegerField()
        state = CharField(max_length=16)
        due_at = BigIntegerField()
        tries = IntegerField()
        log = TextField()
        created_at = BigIntegerField()
        ended_at = BigIntegerField(null=True)

        class Meta:
            indexes = (
                (("webhook_id", "event_id"), True),
                (("webhook_id", "state", "due_at", "id"), False),
                (("created_at",), False),
            )

    db.create_tables([Webhook, WebhookEvent, WebhookDelivery])
    # It may be there where this step was broken off.
    known: Any = [index.columns for index in db.get_indexes("campaign_batch")]
    if ["expires_at"] not in known:
        migrate(migrator.add_index("campaign_batch", ["expires_at"]))
