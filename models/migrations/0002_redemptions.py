"""Make the table of redemptions."""

from peewee import BigIntegerField, CharField, IntegerField, Model

from models.base import LastingId


def up(migrator, db):
    """Create the table."""

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
                (("redeemed_at",), False),
            )

    db.create_tables([Redemption])
