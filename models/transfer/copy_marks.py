"""The mark of a database that a copy is being written to: what it holds is not a store yet.

It stands among the migrations, so that every version refuses such a database.
"""

from __future__ import annotations

import hashlib

from models.store import schema
from models.store.engines import Engine


def of(source: Engine) -> str:
    """Return what marks the copies of a store: when its schema was made tells it from others."""
    made = sorted((name, str(at)) for name, at in schema.applied(source).items())
    return schema.PART + hashlib.sha256(repr(made).encode()).hexdigest()[:32]


def found(store: Engine) -> str:
    """Return the mark of a database, "" without one."""
    return next((name for name in schema.applied(store) if name.startswith(schema.PART)), "")


def put(store: Engine, mark: str) -> None:
    """Mark a database, of which nothing needs to be there yet."""
    store.prepare()
    history = schema.history(store)
    history.create_table(safe=True)
    with store.atomic():
        remove(store)
        history.create(name=mark)


def remove(store: Engine) -> None:
    """Say that what a database holds is whole."""
    history = schema.history(store)
    history.delete().where(history.name.startswith(schema.PART)).execute()
