"""Answers as a real installation saves them, for the tests of the import."""

from __future__ import annotations

import json
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms

OFF = {"products": False, "categories": False, "addons": False, "domains": False, "forms": False}


def coupon(number: int, batch_id: int = 0, **changes: Any) -> dict[str, Any]:
    """Return a coupon as listPromoBatches shows it."""
    return {
        "id": number,
        "batch_id": str(batch_id),
        "active": "1",
        "code": f"SPRING{number}",
        "status": "Active",
        "coupon_type": "cart",
        "type": "percent",
        "applyto": "price",
        "cycle": "once",
        "options": "0",
        "value": 10,
        "cycles": [],
        "products": [],
        "categories": [],
        "upgrades": "all",
        "addons": [],
        "domains": [],
        "forms": [],
        "expires": "0000-00-00",
        "max_usage": "0",
        "num_usage": "0",
        "clients": "all",
        "client_id": "0",
        "notes": "",
        "max_client_usage": "0",
        "increase_in_days": "0",
        "min_cart_amount": "0.00",
        "prompt_cart_amount": "0.00",
    } | changes


def batch(number: int, coupons: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """Return a batch as listPromoBatches shows it."""
    return {
        "id": number,
        "name": f"Spring {number}",
        "status": "Active",
        "prefix": "SPRING",
        "coupon_type": "cart",
        "type": "percent",
        "value": "10.00",
        "complexity": "5",
        "notes": "",
        "coupon_config": {
            "cycle": "once",
            "increase_in_days": "",
            "applyto": "price",
            "clients": "all",
            "client_id": "",
            "notes": "",
            "apply_products": "0",
            "apply_categories": "0",
            "apply_domains": "0",
            "apply_addons": "0",
            "apply_forms": "0",
        },
        "created_at": "2023-03-14 03:20:34",
        "updated_at": "2023-06-21 23:40:36",
        "coupons_count": len(coupons),
        "coupons_used": str(sum(int(each["num_usage"]) for each in coupons)),
        "coupons": coupons,
    } | changes


def details(of: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a coupon of a batch as getPromoDetailsByCode shows it."""
    value = fixed(of["value"], "0.01")
    groups = {name: of[name] or False for name in (*OFF, "cycles")}
    shown = of | groups | {"id": str(of["id"]), "value": value}
    return shown | {"lastname": "", "firstname": ""} | changes


def line(of: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a coupon of a batch as listPromoCodes shows it."""
    kept = ("id", "code", "status", "coupon_type", "type", "value", "num_usage", "notes")
    value = fixed(of["value"], "0.001")
    return {name: of[name] for name in kept} | {"id": str(of["id"]), "value": value} | changes


def fixed(value: float, step: str) -> str:
    """Return a number with as many decimals as the step, rounded as the panel does."""
    return str(Decimal(str(value)).quantize(Decimal(step), ROUND_HALF_UP))


def answer(kind: str, payload: Any) -> dict[str, Any]:
    """Return the body of the call that answers with this kind of payload."""
    call = {
        "batches": "listPromoBatches",
        "coupon": "getPromoDetailsByCode",
        "coupons": "listPromoCodes",
    }[kind]
    return {"success": True, kind: payload, "call": call, "server_time": 1_693_395_736}


def save(path: Path, *answers: Any) -> str:
    """Write answers one after another into a file and return its name."""
    path.write_text("\n".join(json.dumps(each) for each in answers))
    return str(path)


def stored() -> list[Any]:
    """Return all that the store holds of batches and coupons."""
    tables = Batch, Coupon, Terms
    return [list(table.select().order_by(table.id).tuples()) for table in tables]


ONE = answer("coupon", details(coupon(1)))
"""An answer that is whole."""
