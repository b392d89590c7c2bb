"""Which calls are answered here, and which go to the panel."""

from __future__ import annotations

import calls


def is_forwarded(name: str) -> bool:
    """Tell whether a call goes to the panel: all but our extensions, names without case."""
    found = calls.registry().get(name)
    return found is None or not found.extension
