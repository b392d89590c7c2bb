"""Load the coupons and batches of saved answers into records for the import."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

from marshmallow import ValidationError

from calls import php
from calls.wire import schemas
from models.imports.records import BatchRecord, CouponRecord, Offer
from models.promotions.terms import Terms
from models.store.errors import Invalid

CART_AMOUNTS = {"min_cart_amount": 2, "prompt_cart_amount": 2}
COARSE: dict[type[schemas.Shape], dict[str, int]] = {
    schemas.Coupon: CART_AMOUNTS,
    schemas.CouponDetails: CART_AMOUNTS | {"value": 2},
    schemas.CouponLine: {"value": 3},
    schemas.Batch: {"value": 2},
}
"""The decimals that each shape rounds amounts to."""
ECHOED = 60
"""How many characters of a file's own names a refusal repeats at most."""


class Unreadable(Invalid):
    """Say in which file, and where in it, is something that is not such an answer."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")


class Reader:
    """Turn coupons of one shape, and batches around them, into records.

    A coupon is loaded whole once for each set of terms: the next with equal terms needs only its
    own members.
    """

    def __init__(self, shape: type[schemas.Shape]) -> None:
        self._shape = shape
        self._schema = shape()
        own = {
            name: field
            for name, field in self._schema.fields.items()
            if not (field.attribute or "").startswith("terms.")
        }
        self._own = [(name, cast(php.Answered[Any], field).read) for name, field in own.items()]
        self._blank = dict.fromkeys(own)
        self._offers: dict[str, Offer] = {}

    def batch(self, wire: Any, place: str) -> tuple[BatchRecord, list[CouponRecord]]:
        """Return the records of a batch and of its coupons. Raises Unreadable."""
        inside = wire.get("coupons", []) if isinstance(wire, dict) else []
        if not isinstance(inside, list):
            raise Unreadable(f"{place}.coupons", "must be a list")
        if inside:
            wire = wire | {"coupons": []}  # the coupons are loaded on their own
        batch = _loaded(schemas.Batch(), wire, place)
        _check(batch, place)
        coupons = self.coupons(inside, lambda at: f"{place}.coupons[{at}]")
        for at, coupon in enumerate(coupons):
            if coupon.batch_id != batch["id"]:
                raise Unreadable(
                    f"{place}.coupons[{at}].batch_id", "must be the id of the batch around it"
                )
        return _batch_record(batch, coupons), coupons

    def coupons(self, wires: Sequence[Any], place: Callable[[int], str]) -> list[CouponRecord]:
        """Return the records of coupons. Raises Unreadable."""
        return [self._coupon(wire, at, place) for at, wire in enumerate(wires)]

    def _coupon(self, wire: Any, at: int, place: Callable[[int], str]) -> CouponRecord:
        # The order of the members counts too: it says where unknown ones stood.
        alike = repr(wire | self._blank) if isinstance(wire, dict) else ""
        offer = self._offers.get(alike)
        if offer is None:
            whole = _loaded(self._schema, wire, place(at))
            offer = Offer(self._shape.shape, whole["terms"], COARSE[self._shape], whole["extra"])
            self._offers[alike] = offer
        try:
            own = {name: read(wire[name]) for name, read in self._own}
        except (KeyError, ValueError):
            _loaded(self._schema, wire, place(at))
            raise
        if own["id"] < 1 or own.get("batch_id", 0) < 0 or own["num_usage"] < 0 or not own["code"]:
            _check(own, place(at))
        return CouponRecord(
            id=own["id"],
            code=own["code"],
            live=bool(own["status"]),
            num_usage=own["num_usage"],
            offer=offer,
            batch_id=own.get("batch_id"),
            active=own.get("active"),
        )


def _loaded(schema: schemas.Shape, wire: Any, place: str) -> dict[str, Any]:
    """Return what a schema loads. Raises Unreadable with the first thing that is wrong."""
    if not isinstance(wire, dict):
        raise Unreadable(place, "must be an object")
    try:
        return schema.load(wire)
    except ValidationError as problem:
        name, reasons = next(iter(problem.normalized_messages().items()))
        raise Unreadable(f"{place}.{_cut(name)}", reasons[0]) from None


def _cut(text: str) -> str:
    shown = "".join(each if each.isprintable() else "?" for each in text[:ECHOED])
    return shown if len(text) <= ECHOED else f"{shown[:-1]}…"


def _check(loaded: Mapping[str, Any], place: str) -> None:
    """Raise Unreadable for values that the store has no room for."""
    if loaded["id"] < 1:
        raise Unreadable(f"{place}.id", "must be 1 or more")
    if loaded.get("batch_id", 0) < 0:
        raise Unreadable(f"{place}.batch_id", "must be 0 or more")
    if loaded.get("num_usage", 0) < 0:
        raise Unreadable(f"{place}.num_usage", "must be 0 or more")
    if not loaded.get("code", "-"):
        raise Unreadable(f"{place}.code", "must not be empty")


def _batch_record(batch: Mapping[str, Any], coupons: Sequence[CouponRecord]) -> BatchRecord:
    """Return the record of a batch: its terms are its first coupon's but for what it says."""
    if coupons:
        inside = coupons[0].offer
    else:
        inside = Offer(schemas.Coupon.shape, schemas.offered(dict(batch["config"])), {}, [])
    terms = SimpleNamespace(**(Terms().content() | dict(inside.values)))
    usual = php.encode(schemas.config_of(terms)) == php.encode(batch["config"])
    head = Offer(schemas.Batch.shape, batch["terms"], COARSE[schemas.Batch], batch["extra"])
    return BatchRecord(
        id=batch["id"],
        name=batch["name"],
        live=bool(batch["live"]),
        prefix=batch["prefix"],
        complexity=batch["complexity"],
        length=_length(batch["prefix"], coupons),
        notes=batch["notes"],
        offers=(inside, head),
        config=None if usual else batch["config"],
        coupons_count=batch["coupons_count"],
        coupons_used=batch["coupons_used"],
        created_at=batch["created_at"],
        updated_at=batch["updated_at"],
    )


def _length(prefix: str, coupons: Sequence[CouponRecord]) -> int | None:
    """Return how many characters of the first code are not the prefix, None when unknown."""
    if not coupons or not coupons[0].code.startswith(prefix):
        return None
    return len(coupons[0].code) - len(prefix) or None
