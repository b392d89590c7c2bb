"""Parse terms typed as options or CSV cells, where a list is one text with commas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calls.wire.terms_fields import ALL
from models.promotions.terms import GROUPS

LISTS = (*GROUPS, "cycles")
UPGRADES = "upgrades"
"""A list too, but for the word that stands for all."""


def parse_terms(texts: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments that a request would bring; an empty text is none."""
    return {name: _argument(name, text) for name, text in texts.items() if text}


def _argument(name: str, text: str) -> Any:
    if name in LISTS or (name == UPGRADES and text != ALL):
        return dict(enumerate(part.strip() for part in text.split(",")))
    return text
