"""Rows of the panel's answers: ids, codes of batches, and counts of uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def id_of(row: dict[str, Any]) -> int:
    """Return the id of a row of an answer, 0 where it has none."""
    return count_of(row.get("id"))


def members(batch: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the codes of a batch of an answer."""
    coupons = batch.get("coupons")
    return [each for each in coupons if isinstance(each, dict)] if isinstance(coupons, list) else []


def count_of(value: Any) -> int:
    """Return a count or an id, 0 for what is none."""
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 18 else 0


def uses(coupon: dict[str, Any]) -> int:
    """Return how often a coupon was used by its row."""
    return count_of(coupon.get("num_usage"))


def leave_out(coupon: dict[str, Any], known: Mapping[int, int]) -> None:
    """Leave uses out of the count of a coupon."""
    if fewer := known.get(id_of(coupon)):
        coupon["num_usage"] = str(max(0, uses(coupon) - fewer))
