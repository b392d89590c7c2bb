"""Make the tables of routes, of calls that are on their way to a panel, and of differences."""

from peewee import BigIntegerField, BooleanField, CharField, Model

from models.store.base import JSONText, LastingId


def up(migrator, db):
    """Create the tables; without a row, a call is forwarded."""

    class Base(Model):
        id = LastingId()

        class Meta:
            database = db

    class PanelRoute(Base):
        call = CharField(max_length=64, unique=True)
        mode = CharField(max_length=16)
        previous = CharField(max_length=16)
        since = BigIntegerField()
        enforced = BooleanField()
        closed_until = BigIntegerField()

        class Meta:
            table_name = "panel_route"

    class PanelFlight(Base):
        call = CharField(max_length=64)
        worker = CharField(max_length=128)
        started_at = BigIntegerField()
        deadline = BigIntegerField()

        class Meta:
            table_name = "panel_flight"
            indexes = ((("call", "deadline"), False),)

    class PanelPending(Base):
        call = CharField(max_length=64)
        state = CharField(max_length=16)
        digest = CharField(max_length=64, null=True, unique=True)
        worker = CharField(max_length=128)
        api_id = CharField(max_length=128)
        code = CharField(max_length=32)
        invoice_id = BigIntegerField()
        client_id = BigIntegerField()
        coupon_id = BigIntegerField(null=True)
        redemption_id = BigIntegerField(null=True)
        reserved = BooleanField()
        refusal = CharField(max_length=64)
        before = JSONText(null=True)
        after = JSONText(null=True)
        started_at = BigIntegerField()
        deadline = BigIntegerField()
        ended_at = BigIntegerField(null=True)

        class Meta:
            table_name = "panel_pending"
            indexes = (
                (("state", "id"), False),
                (("state", "ended_at"), False),
                (("coupon_id", "state"), False),
                (("redemption_id",), False),
            )

    class PanelComparison(Base):
        call = CharField(max_length=64, unique=True)
        equal = BigIntegerField()
        compared = BigIntegerField()
        dropped = BigIntegerField()

        class Meta:
            table_name = "panel_comparison"

    class PanelDifference(Base):
        call = CharField(max_length=64)
        path = CharField(max_length=255)
        count = BigIntegerField()
        theirs = CharField(max_length=200)
        ours = CharField(max_length=200)
        first_at = BigIntegerField()
        last_at = BigIntegerField()

        class Meta:
            table_name = "panel_difference"
            indexes = ((("call", "path"), True),)

    class PanelIgnored(Base):
        path = CharField(max_length=255, unique=True)

        class Meta:
            table_name = "panel_ignored"

    db.create_tables(
        [PanelRoute, PanelFlight, PanelPending, PanelComparison, PanelDifference, PanelIgnored]
    )
