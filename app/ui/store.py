"""What pages read of the store, beside what the APIs do."""

from __future__ import annotations

from datetime import date

from flask import current_app, session

from app.config import Settings
from calls import Caller
from models.promotions.batches import Batch
from models.promotions.code_spelling import masked
from models.promotions.coupons import Coupon
from models.store import visibility
from models.store.errors import NotFound

TYPED = "typed"
"""What the session keeps of a code that the person has typed in full."""


def settings() -> Settings:
    """Return the settings of this process."""
    found: Settings = current_app.config["SETTINGS"]
    return found


def caller() -> Caller:
    """Return who the pages are to the schemas of calls: the operator."""
    return Caller(None, settings(), current_app.config["FRAGMENTS"])


def today() -> date:
    """Return the day that it is at the installation."""
    return caller().today


def coupon_by_id(coupon_id: int) -> Coupon:
    """Return a coupon of either API. Raises NotFound."""
    coupon = Coupon.get_or_none(Coupon.id == coupon_id)
    if coupon is None:
        raise NotFound(f"There is no code with the id {coupon_id}", "code_not_found")
    return coupon


def batch_by_id(batch_id: int) -> Batch:
    """Return a batch of either API. Raises NotFound."""
    batch = Batch.get_or_none(Batch.id == batch_id)
    if batch is None:
        raise NotFound(f"There is no batch {batch_id}", "batch_not_found")
    return batch


def shown(code: str, realm: int, batch: Batch | None, coupon_id: int = 0) -> str:
    """Return a code as it may be shown: one of the REST API is masked, unless it was just typed."""
    if realm == visibility.LEGACY or session.get(TYPED) == [coupon_id, code]:
        return code
    return masked(code, batch.prefix if batch else "")
