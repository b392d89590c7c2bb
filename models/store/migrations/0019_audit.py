"""Make the table of the audit."""

from peewee import BigIntegerField, CharField, Model, TextField

from models.store.base import LastingId


def up(migrator, db):
    """Create the table."""

    class AuditEntry(Model):
        id = LastingId()
        at = BigIntegerField()
        actor_kind = CharField(max_length=16)
        actor = CharField(max_length=255)
        address = CharField(max_length=64)
        action = CharField(max_length=32)
        subject_kind = CharField(max_length=16)
        subject_id = BigIntegerField()
        subject = CharField(max_length=255)
        reason = CharField(max_length=255)
        before = TextField(null=True)
        after = TextField(null=True)
        undo = TextField(null=True)
        undone_at = BigIntegerField(null=True)

        class Meta:
            database = db
            table_name = "audit_entry"
            indexes = (
                (("at",), False),
                (("subject_kind", "subject_id", "id"), False),
                (("actor", "id"), False),
            )

    db.create_tables([AuditEntry])
