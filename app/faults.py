"""Say where our own code failed without saying any value: values may be credentials."""

from __future__ import annotations

import traceback


def place(problem: BaseException) -> str:
    """Return the kind of a fault and the lines it passed, innermost last."""
    frames = traceback.extract_tb(problem.__traceback__)[-6:]
    lines = " > ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
    return f"{type(problem).__name__} at {lines}"
