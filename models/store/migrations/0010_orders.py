"""Find the uses of a coupon on an order; note which redemption a kept reply tells of."""

from peewee import BigIntegerField
from playhouse.migrate import migrate

ORDERS = ("coupon_id", "order_id")


def up(migrator, db):
    """Add the column and the index; either may be there where this step was broken off."""
    if "redemption_id" not in {column.name for column in db.get_columns("reply")}:
        migrate(migrator.add_column("reply", "redemption_id", BigIntegerField(null=True)))
    if [*ORDERS] not in [[*index.columns] for index in db.get_indexes("redemption")]:
        migrate(migrator.add_index("redemption", ORDERS))
