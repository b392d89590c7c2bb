"""Make the table of batches whose codes workers make."""

from peewee import BigIntegerField, CharField, IntegerField, Model


def up(migrator, db):
    """Create the table."""

    class BatchJob(Model):
        batch_id = IntegerField(primary_key=True)
        asked_at = BigIntegerField()
        error = CharField(max_length=255)

        class Meta:
            database = db
            table_name = "batch_job"

    db.create_tables([BatchJob])
