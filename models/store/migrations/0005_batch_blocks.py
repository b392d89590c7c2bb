"""Make the table of how many legacy batches there are among each 512 ids, and count them."""

from peewee import SQL, IntegerField, Model, SmallIntegerField, fn

from models.store.base import LastingId


def up(migrator, db):
    """Create the table and fill it."""

    class Batch(Model):
        id = LastingId()
        realm = SmallIntegerField()

        class Meta:
            database = db
            table_name = "batch"

    class BatchBlock(Model):
        first_id = IntegerField(primary_key=True)
        n = IntegerField()

        class Meta:
            database = db
            table_name = "batch_block"

    db.create_tables([BatchBlock])
    # Where this step was broken off, they may be there already.
    BatchBlock.delete().execute()
    counted = Batch.select(Batch.id.bin_and(-512), fn.COUNT(Batch.id)).where(Batch.realm == 0)
    BatchBlock.insert_from(
        counted.group_by(SQL("1")), [BatchBlock.first_id, BatchBlock.n]
    ).execute()
