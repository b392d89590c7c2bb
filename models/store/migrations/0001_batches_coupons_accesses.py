"""Make the tables of the legacy API: terms, batches, coupons, accesses and kept counts."""

from peewee import (
    BigIntegerField,
    BooleanField,
    CharField,
    DateField,
    ForeignKeyField,
    IntegerField,
    Model,
    SmallIntegerField,
    TextField,
)

from models.store.base import LastingId


def up(migrator, db):
    """Create the tables."""

    class Terms(Model):
        id = BigIntegerField(primary_key=True)
        coupon_type = CharField(max_length=16)
        type = CharField(max_length=16)
        value = CharField(max_length=32)
        applyto = CharField(max_length=16)
        cycle = CharField(max_length=16)
        options = CharField(max_length=255)
        cycles = TextField()
        products = TextField()
        categories = TextField()
        upgrades = TextField()
        addons = TextField()
        domains = TextField()
        forms = TextField()
        expires = DateField(null=True)
        max_usage = IntegerField()
        clients = CharField(max_length=16)
        client_id = IntegerField()
        notes = TextField()
        max_client_usage = IntegerField()
        increase_in_days = IntegerField()
        min_cart_amount = CharField(max_length=32)
        prompt_cart_amount = CharField(max_length=32)
        lastname = CharField(max_length=255)
        firstname = CharField(max_length=255)
        extra = TextField()

        class Meta:
            database = db
            table_name = "terms"

    class Batch(Model):
        id = LastingId()
        name = CharField(max_length=255)
        prefix = CharField(max_length=32)
        complexity = SmallIntegerField()
        length = SmallIntegerField()
        requested = IntegerField()
        made = IntegerField()
        live = BooleanField()
        realm = SmallIntegerField()
        notes = TextField()
        terms = ForeignKeyField(Terms, on_delete="RESTRICT", index=False)
        config = TextField(null=True)
        coupons_count = IntegerField()
        coupons_used = IntegerField()
        carried_count = IntegerField()
        carried_used = IntegerField()
        revision = IntegerField()
        created_at = BigIntegerField(null=True)
        updated_at = BigIntegerField(null=True)

        class Meta:
            database = db
            table_name = "batch"
            indexes = ((("realm", "id"), False),)

    class Coupon(Model):
        id = LastingId()
        batch_id = IntegerField()
        code = CharField(max_length=32)
        live = SmallIntegerField(null=True)
        realm = SmallIntegerField()
        active = BooleanField()
        num_usage = IntegerField()
        imported_usage = IntegerField()
        stopped = BooleanField(null=True)
        shelved = BooleanField(null=True)
        terms = ForeignKeyField(Terms, on_delete="RESTRICT", index=False)

        class Meta:
            database = db
            table_name = "coupon"
            indexes = (
                (("code", "live"), True),
                (("batch_id", "id"), False),
                (("realm", "id"), False),
            )

    class Access(Model):
        id = LastingId()
        api_id = CharField(max_length=128, unique=True)
        key_salt = CharField(max_length=32)
        key_digest = CharField(max_length=64)
        name = CharField(max_length=255)
        ip_rule = CharField(max_length=64)
        calls = TextField(null=True)
        enabled = BooleanField()
        locked = BooleanField()
        created_at = BigIntegerField()

        class Meta:
            database = db
            table_name = "access"

    class Tally(Model):
        name = CharField(max_length=32, primary_key=True)
        n = BigIntegerField()

        class Meta:
            database = db
            table_name = "tally"

    db.create_tables([Terms, Batch, Coupon, Access, Tally])
    for name in ("batches", "coupons", "single_coupons"):
        Tally.insert(name=name, n=0).on_conflict_ignore().execute()
