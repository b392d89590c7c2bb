"""Names of calls that do not exist here, as proven callers wrote them: so many different ones."""

from __future__ import annotations

import re
from typing import Any

from peewee import CharField, IntegerField, fn

from models.access.usage import CALL_LENGTH, ApiUsage
from models.store.base import Row, change, retried

MOST = 500
"""How many names are told apart in the log of a store."""
OTHER = "other"
"""What stands for all further ones."""
PATTERN = re.compile(rf"[A-Za-z0-9]{{1,{CALL_LENGTH}}}")


class CallName(Row):
    """Keep one name in a numbered place, so that no two processes fill more than there are."""

    id = None
    place = IntegerField(primary_key=True)
    name = CharField(max_length=CALL_LENGTH, unique=True)


@retried
def admitted(names: set[str]) -> set[str]:
    """Return those of the names that have a place, and give free places to the others."""
    places = _places()
    new = sorted(names - places.keys())
    free = sorted(set(range(1, MOST + 1)) - set(places.values()))
    if new and free:
        rows = [{"place": place, "name": name} for place, name in zip(free, new, strict=False)]
        with change():
            CallName.insert_many(rows).on_conflict_ignore().execute()
        # Another process may have taken a place, or given one to the same name.
        places = _places()
    return names & places.keys()


@retried
def forget_unused() -> int:
    """Free the places of names that are not in the log any longer; return how many they were."""
    used = fn.EXISTS(ApiUsage.select(ApiUsage.id).where(ApiUsage.call == CallName.name))
    query: Any = CallName.select(CallName.name).where(~used)
    unused = [name for (name,) in query.tuples()]
    if not unused:
        return 0
    with change():
        return int(CallName.delete().where(CallName.name.in_(unused)).execute())


def _places() -> dict[str, int]:
    query: Any = CallName.select(CallName.name, CallName.place)
    return dict(query.tuples())
