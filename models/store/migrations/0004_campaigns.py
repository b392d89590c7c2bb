"""Make the tables of the REST API: campaigns, their batches, players, secrets and jobs."""

from peewee import BigIntegerField, BooleanField, CharField, IntegerField, Model, SmallIntegerField

from models.store.base import LastingId


def up(migrator, db):
    """Create the tables."""

    class Campaign(Model):
        id = LastingId()
        uuid = CharField(max_length=36, unique=True)
        environment = SmallIntegerField()
        partner = CharField(max_length=255)
        slug = CharField(max_length=63)
        name = CharField(max_length=255)
        status = CharField(max_length=16)
        starts_at = BigIntegerField(null=True)
        ends_at = BigIntegerField(null=True)
        batches = IntegerField()
        codes = BigIntegerField()
        redeemed = BigIntegerField()
        revoked = BigIntegerField()
        created_at = BigIntegerField()
        updated_at = BigIntegerField()

        class Meta:
            database = db
            table_name = "campaign"
            indexes = ((("environment", "partner", "slug"), True),)

    class CampaignBatch(Model):
        batch_id = IntegerField(primary_key=True)
        uuid = CharField(max_length=36, unique=True)
        campaign_id = IntegerField()
        number = IntegerField()
        points = IntegerField()
        label = CharField(max_length=255, null=True)
        expires_at = BigIntegerField(null=True)
        size = IntegerField()
        total = IntegerField()
        redeemed = IntegerField()
        revoked = IntegerField()
        created_at = BigIntegerField()

        class Meta:
            database = db
            table_name = "campaign_batch"
            indexes = (
                (("campaign_id", "number"), True),
                (("campaign_id", "expires_at"), False),
            )

    class CodeAlias(Model):
        id = LastingId()
        environment = SmallIntegerField()
        folded = CharField(max_length=32)
        coupon_id = IntegerField()

        class Meta:
            database = db
            table_name = "code_alias"
            indexes = ((("environment", "folded"), True),)

    class Player(Model):
        id = LastingId()
        campaign_id = IntegerField()
        user_id = CharField(max_length=255)
        points = BigIntegerField()

        class Meta:
            database = db
            table_name = "player"
            indexes = ((("campaign_id", "user_id"), True),)

    class Secret(Model):
        id = LastingId()
        digest = CharField(max_length=64, unique=True)
        hint = CharField(max_length=8)
        environment = SmallIntegerField()
        partner = CharField(max_length=255)
        name = CharField(max_length=255)
        active = BooleanField()
        created_at = BigIntegerField()
        revoked_at = BigIntegerField(null=True)

        class Meta:
            database = db
            table_name = "secret"

    class Job(Model):
        id = LastingId()
        uuid = CharField(max_length=36, unique=True)
        campaign_id = IntegerField()
        batch_id = IntegerField()
        requested = IntegerField()
        status = CharField(max_length=16)
        error = CharField(max_length=255, null=True)
        handing_out_at = BigIntegerField(null=True)
        handed_out_at = BigIntegerField(null=True)
        created_at = BigIntegerField()
        updated_at = BigIntegerField()

        class Meta:
            database = db
            table_name = "job"
            indexes = ((("status", "id"), False),)

    class Tally(Model):
        name = CharField(max_length=32, primary_key=True)
        n = BigIntegerField()

        class Meta:
            database = db
            table_name = "tally"

    db.create_tables([Campaign, CampaignBatch, CodeAlias, Player, Secret, Job])
    Tally.insert(name="campaign_coupons", n=0).on_conflict_ignore().execute()
