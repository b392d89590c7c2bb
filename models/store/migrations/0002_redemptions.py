"""Make the table of redemptions and of the daily work that is done."""

from datetime import UTC

from peewee import (
    BigIntegerField,
    CharField,
    DateField,
    IntegerField,
    Model,
    SmallIntegerField,
)

from models.store import clock
from models.store.base import LastingId


def up(migrator, db):
    """Create the tables."""

    class Redemption(Model):
        id = LastingId()
        coupon_id = IntegerField()
        batch_id = IntegerField()
        code = CharField(max_length=32)
        client_id = IntegerField()
        invoice_id = IntegerField()
        invoice_slot = IntegerField(null=True)
        order_id = IntegerField()
        amount = CharField(max_length=32, null=True)
        setup_amount = CharField(max_length=32, null=True)
        discount = CharField(max_length=32, null=True)
        setup_discount = CharField(max_length=32, null=True)
        state = CharField(max_length=16)
        api_id = CharField(max_length=128)
        realm = SmallIntegerField()
        uuid = CharField(max_length=36, null=True, unique=True)
        campaign_id = IntegerField()
        user_id = CharField(max_length=255)
        points = BigIntegerField()
        redeemed_at = BigIntegerField()
        released_at = BigIntegerField(null=True)

        class Meta:
            database = db
            table_name = "redemption"
            indexes = (
                (("coupon_id", "invoice_slot"), True),
                (("coupon_id", "client_id"), False),
                (("batch_id", "id"), False),
                (("client_id", "id"), False),
                (("invoice_id", "id"), False),
                (("code",), False),
                (("realm", "id"), False),
                (("redeemed_at",), False),
            )

    class Sweep(Model):
        name = CharField(max_length=32, primary_key=True)
        day = DateField()

        class Meta:
            database = db
            table_name = "sweep"

    db.create_tables([Redemption, Sweep])
    # Codes that expired before today stay as they are.
    Sweep.insert(name="expiry", day=clock.today(UTC)).on_conflict_ignore().execute()
