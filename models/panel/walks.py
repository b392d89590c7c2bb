"""Walks of a live panel: when they were, and the answers that one has read so far."""

from __future__ import annotations

from peewee import BigIntegerField, BlobField, CharField

from models.store.base import Row


class PanelWalk(Row):
    """Keep when a walk began and ended, None while it has not, and what the panel then held."""

    started_at = BigIntegerField()
    finished_at = BigIntegerField(null=True)
    batches = BigIntegerField(default=0)
    coupons = BigIntegerField(default=0)


class PanelAnswer(Row):
    """Keep one answer of the panel, compressed, until the walk is finished.

    `number` is that of a page, or the id of a coupon.
    """

    walk_id = BigIntegerField()
    kind = CharField(max_length=16)
    number = BigIntegerField()
    body = BlobField()

    class Meta:
        indexes = ((("walk_id", "kind", "number"), True),)
