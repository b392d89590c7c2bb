"""Copy a whole store in one state and verify it; no server starts on it until then."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from peewee import (  # type: ignore[attr-defined] # its stubs leave the wrapper out
    DataError,
    IntegrityError,
    __exception_wrapper__,
)

from models.store import clock, schema
from models.store.base import LastingId, Row
from models.store.engine import Engine
from models.store.errors import Conflict, Invalid
from models.transfer.tables import Content, Rows, read, tables

DELETED_ROWS = 20_000
"""How many rows one DELETE takes."""
Advance = Callable[[int], object]


def copy_store(
    source: Engine, target: Engine, advance: Advance, replace: bool = False
) -> dict[str, Content]:
    """Make the target hold what the source holds at one moment, and return what that is by table.

    Until the end no server starts on the target. It may be empty, a copy that was not finished,
    which is started over, and with `replace` a store. `advance` is told of rows copied.
    Raises Conflict for any other target, Invalid and SchemaMismatch.
    """
    require_store(source)
    mark = _prepare_target(target, replace)
    copied = read(source, partial(_insert, target, advance))
    for table in tables():
        if isinstance(table._meta.primary_key, LastingId):
            name = table._meta.table_name
            target.number_above(name, source.last_id(name))
    history = schema.history(target)
    if read(target) != copied or not history.delete().where(history.name == mark).execute():
        raise Conflict("The copy differs: nothing else may write to the target meanwhile")
    schema.require_current(target)
    return copied


def require_store(store: Engine) -> None:
    """Refuse a database that is no whole store of this version, with Invalid or SchemaMismatch."""
    if not schema.applied(store):
        raise Invalid("The source holds no promobridge store")
    schema.require_current(store)


def _prepare_target(target: Engine, replace: bool) -> str:
    """Make the target an empty store, marked as unfinished; return the mark.

    It stands among the migrations, so that every version refuses such a database. Another copy
    that begins meanwhile takes it away.
    """
    applied = schema.applied(target)
    if not any(name.startswith(schema.PART) for name in applied):
        own = {table._meta.table_name for table in tables()} if applied and replace else set()
        found = {name for name in target.get_tables() if not name.startswith("sqlite_")}
        others = sorted(found - own - {schema.HISTORY})[:3]
        if others:
            raise Conflict(f"The target holds tables ({', '.join(others)}): name an empty database")
        if own:
            schema.require_current(target)
    mark = schema.PART + clock.random_bytes(16).hex()
    target.prepare()
    history = schema.history(target)
    history.create_table(safe=True)
    with target.atomic():
        history.delete().where(history.name.startswith(schema.PART)).execute()
        history.create(name=mark)
    schema.upgrade(target)
    for table in reversed(tables()):
        key = table._meta.primary_key
        later = table.select(key).order_by(key).offset(DELETED_ROWS).limit(1)
        while bound := target.execute(later).fetchone():
            target.execute(table.delete().where(key < bound[0]))
        target.execute(table.delete())
    return mark


def _insert(target: Engine, advance: Advance, table: type[Row], rows: Rows) -> None:
    fields = table._meta.sorted_fields
    insert = table.insert_many([[None] * len(fields)], fields).returning().bind(target)
    try:
        with target.atomic(), __exception_wrapper__:  # peewee's own way takes four times as long
            target.cursor().executemany(insert.sql()[0], rows)
    except (DataError, IntegrityError) as problem:
        said = str(problem.args[-1]).partition("\n")[0]
        raise Invalid(f"The target refuses a {table._meta.table_name}: {said}") from None
    advance(len(rows))
