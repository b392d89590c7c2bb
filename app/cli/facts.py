"""Describe batches and coupons for the output of commands."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from app.cli.output import time_text
from models.promotions.batches import Batch
from models.promotions.coupons import ALONE, Coupon
from models.promotions.terms import CONTENT, Terms
from models.store.base import plain


def of_batch(batch: Batch) -> dict[str, Any]:
    """Return everything that is kept about a batch, as JSON values."""
    return {
        "id": batch.id,
        "name": batch.name,
        "status": status(batch.live),
        "prefix": batch.prefix,
        "complexity": batch.complexity,
        "length": batch.length,
        "requested": batch.requested,
        "made": batch.made,
        "complete": batch.complete,
        "coupons_count": batch.coupons_count,
        "coupons_used": batch.coupons_used,
        "notes": batch.notes,
        "created_at": time_text(batch.created_at),
        "updated_at": time_text(batch.updated_at),
        "terms": of_terms(batch.terms),
    }


def of_coupon(coupon: Coupon) -> dict[str, Any]:
    """Return everything that is kept about a coupon, as JSON values."""
    batch = None if coupon.batch_id == ALONE else Batch.get_or_none(Batch.id == coupon.batch_id)
    return {
        "id": coupon.id,
        "code": coupon.code,
        "status": status(coupon.live),
        "active": coupon.active,
        "batch_id": batch and batch.id,
        "batch_name": batch and batch.name,
        "num_usage": coupon.num_usage,
        "imported_usage": coupon.imported_usage,
        "terms": of_terms(coupon.terms),
    }


def of_terms(terms: Terms) -> dict[str, Any]:
    """Return terms as JSON values: amounts as texts, groups as lists of ids."""
    return {name: _json(getattr(terms, name)) for name in CONTENT if name != "extra"}


def status(live: int | bool | None) -> str:
    """Return the word for a live row or an archived one."""
    return "Active" if live else "Archived"


def _json(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, dict) else value
