"""Which calls are answered here, and which go to the panel."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import calls


def plain(name: str) -> str:
    """Return the name of one of our calls as we write it; the panel reads names without case."""
    return _names().get(name.lower(), name)


def is_forwarded(name: str) -> bool:
    """Tell whether a call goes to the panel: all but our extensions."""
    found = calls.registry().get(plain(name))
    return found is None or not found.extension


@cache
def _names() -> Mapping[str, str]:
    return {name.lower(): name for name in calls.registry()}
