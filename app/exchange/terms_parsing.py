"""Parse terms typed as options or CSV cells, where a list is one text with commas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.promotions.terms import GROUPS

LISTS = (*GROUPS, "cycles")


def parse_terms(texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments that a request would bring; an empty text is none."""
    return {
        name: dict(enumerate(part.strip() for part in text.split(","))) if name in LISTS else text
        for name, text in texts.items()
        if text
    }
