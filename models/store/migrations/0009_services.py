"""Make the table of services that codes were used for, and name the service of each redemption."""

from peewee import BigIntegerField, IntegerField, Model

from models.store.base import LastingId


def up(migrator, db):
    """Create the table; uses of earlier versions are of no service, and count each."""

    class ServiceUse(Model):
        id = LastingId()
        coupon_id = IntegerField()
        account_id = IntegerField()
        standing = IntegerField()
        first_at = BigIntegerField()

        class Meta:
            database = db
            table_name = "service_use"
            indexes = ((("coupon_id", "account_id"), True),)

    db.create_tables([ServiceUse])
    # It is there where this step was broken off. With a default, no engine rewrites the rows.
    if "account_id" not in {column.name for column in db.get_columns("redemption")}:
        db.execute_sql("ALTER TABLE redemption ADD COLUMN account_id INTEGER NOT NULL DEFAULT 0")
