"""Make the tables of the people who use the pages."""

from peewee import BigIntegerField, BooleanField, CharField, IntegerField, Model

from models.store.base import LastingId


def up(migrator, db):
    """Create the tables."""

    class PageUser(Model):
        id = LastingId()
        name = CharField(max_length=64)
        form = CharField(max_length=96, unique=True)
        role = CharField(max_length=16)
        password = CharField(max_length=255)
        enabled = BooleanField()
        subject = CharField(max_length=255, null=True, unique=True)
        created_at = BigIntegerField()
        seen_at = BigIntegerField(null=True)

        class Meta:
            database = db
            table_name = "page_user"

    class PageSession(Model):
        digest = CharField(max_length=64, primary_key=True)
        user_id = IntegerField(index=True)
        made_at = BigIntegerField()
        expires_at = BigIntegerField(index=True)
        proven_at = BigIntegerField()

        class Meta:
            database = db
            table_name = "page_session"

    class PageInvite(Model):
        digest = CharField(max_length=64, primary_key=True)
        user_id = IntegerField(index=True)
        logs_in = BooleanField()
        expires_at = BigIntegerField()

        class Meta:
            database = db
            table_name = "page_invite"

    db.create_tables([PageUser, PageSession, PageInvite])
