"""Make the table of the recording that goes on."""

from peewee import BigIntegerField, CharField, IntegerField, Model, TextField


def up(migrator, db):
    """Create the table."""

    class PanelRecording(Model):
        place = IntegerField(primary_key=True)
        folder = TextField()
        key = CharField(max_length=64)
        until = BigIntegerField()

        class Meta:
            database = db
            table_name = "panel_recording"

    db.create_tables([PanelRecording])
