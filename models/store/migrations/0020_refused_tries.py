"""Make the table of refused tries."""

from peewee import BigIntegerField, CharField, IntegerField, Model, SmallIntegerField

from models.store.base import LastingId


def up(migrator, db):
    """Create the table."""

    class RefusedTry(Model):
        id = LastingId()
        at = BigIntegerField()
        face = SmallIntegerField()
        call = CharField(max_length=64)
        code = CharField(max_length=32)
        coupon_id = IntegerField()
        reason = CharField(max_length=64)
        client_id = IntegerField()
        user_id = CharField(max_length=255)
        invoice_id = IntegerField()
        order_id = IntegerField()
        who = CharField(max_length=128)
        address = CharField(max_length=64)
        times = IntegerField()

        class Meta:
            database = db
            table_name = "refused_try"
            indexes = (
                (("at",), False),
                (("coupon_id", "id"), False),
                (("client_id", "id"), False),
                (("reason", "id"), False),
            )

    db.create_tables([RefusedTry])
