"""JSON that tests and files give: what is read here can be sent again."""

from __future__ import annotations

import json
import math
from typing import Any

from calls import php

MEMBERS = 5_000_000


def read(given: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises ValueError for what is none, goes too deep, or holds a number that JSON cannot hold.
    """
    text = given if isinstance(given, str) else given.decode("utf-8-sig")
    try:
        php.check_json(text, MEMBERS)
    except php.InvalidRequest as problem:
        raise ValueError(str(problem)) from None
    return json.loads(text, parse_float=_finite, parse_constant=_finite)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number is too large, or none")
    return value
