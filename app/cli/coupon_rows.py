"""promobridge coupon list and show: what commands tell of coupons."""

from __future__ import annotations

from typing import Any

import click

from app.cli import coupon_search
from app.cli.coupon_search import Found
from app.cli.lines import put_line
from app.cli.output import ID, fields_of, printed, put_fields, put_table, time_text
from models.promotions import batches, coupon_lists
from models.promotions.batches import Batch
from models.promotions.campaign_counts import CampaignBatch
from models.promotions.coupons import Coupon
from models.redemptions import redemption_log
from models.store import visibility
from models.store.base import snapshot

COLUMNS = (
    *("id", "code", "status", "active", "batch_id", "batch_name", "environment"),
    *("campaign", "partner", "points", "num_usage", "imported_usage", "terms"),
)
LIST_COLUMNS = ("id", "code", "status", "active", "batch_id", "num_usage")
USE_COLUMNS = (
    *("id", "redeemed_at", "state", "client_id", "user_id", "invoice_id", "order_id"),
    *("discount", "points", "released_at"),
)
USES = 20
"""How many uses of a code are shown at most, the newest."""


@click.command(
    name="list",
    epilog="\b\nExamples:\n"
    "  promobridge coupon list --batch 7 --limit 100\n"
    "  promobridge coupon list --alone --json",
)
@click.option("--batch", type=ID, metavar="ID", help="Only the codes of this batch.")
@click.option("--alone", is_flag=True, help="Only the codes that are in no batch.")
@click.option(
    "--page", type=click.IntRange(0, 10**9), default=0, show_default=True, help="Counted from 0."
)
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=25, show_default=True, help="Codes a page."
)
@printed(text=lambda page: _put_page(page["coupons"]))
def list_(batch: int | None, alone: bool, page: int, limit: int) -> dict[str, Any]:
    """List codes, newest first, or those of a batch in the order they were made.

    Codes of the REST API alone are not among them.
    """
    if batch is not None and alone:
        raise click.UsageError("--alone cannot be given with --batch")
    columns = ("id", "code", "live", "active", "batch_id", "num_usage")
    with snapshot():
        if batch is None:
            total = coupon_lists.total(not alone)
            listed = coupon_lists.newest(columns, total, page, limit, not alone).rows()
        else:
            total = batches.by_id(batch).coupons_count
            listed = coupon_lists.of_batch(columns, batch, total, page, limit)
    rows = [
        {
            "id": coupon_id,
            "code": code,
            "status": "Archived" if live is None else "Active",
            "active": bool(active),
            "batch_id": batch_id or None,
            "num_usage": uses,
        }
        for coupon_id, code, live, active, batch_id, uses, _ in listed
    ]
    return {"coupons": rows, "page": page, "limit": limit, "total": total}


@click.command(
    epilog="\b\nExamples:\n"
    "  promobridge coupon show XO-UKFXB9618V7Q\n"
    "  promobridge coupon show SUMM-7K3QX9AZ --test"
)
@click.argument("code")
@coupon_search.narrowing
@printed(text=lambda value: put_coupon(value))
def show(code: str, test: bool, partner: str | None) -> dict[str, Any]:
    """Show a code of either API: its terms, where it is, and its newest uses.

    The live coupon with this code comes first, else the newest archived one.
    """
    with snapshot():
        return described(coupon_search.first(code, test, partner), uses=USES)


def described(found: Found, uses: int | None = None) -> dict[str, Any]:
    """Return a coupon as JSON values, with so many of its uses, newest first."""
    coupon = found.coupon
    batch = Batch.get_or_none(Batch.id == coupon.batch_id)
    joined = CampaignBatch.get_or_none(CampaignBatch.batch_id == coupon.batch_id)
    rest_status = found.of_campaign.status if found.of_campaign and not found.is_legacy else None
    shown = fields_of(
        coupon,
        COLUMNS,
        status=rest_status or ("Active" if coupon.live else "Archived"),
        batch_id=batch and batch.id,
        batch_name=batch and batch.name,
        environment=visibility.environment_name(visibility.environment(coupon.realm)),
        campaign=joined and joined.campaign.slug,
        partner=joined and joined.campaign.partner,
        points=joined and joined.points,
    )
    if uses is not None:
        shown["uses"] = [
            fields_of(
                use,
                USE_COLUMNS,
                id=use.uuid or use.id,
                redeemed_at=time_text(use.redeemed_at),
                released_at=time_text(use.released_at),
            )
            for use in redemption_log.of_coupon(coupon.id, uses)
        ]
    return shown


def of_coupon(coupon: Coupon) -> dict[str, Any]:
    """Return a coupon of the legacy API as JSON values, without its uses."""
    return described(Found(coupon, None))


def put_coupon(value: dict[str, Any]) -> None:
    """Print a coupon with its uses: its fields as lines, the uses as a table."""
    uses = value.pop("uses")
    put_fields(value)
    if not uses:
        return
    put_line("")
    columns = ("redeemed_at", "state", "client_id", "user_id", "invoice_id", "order_id")
    put_table(
        ("used at", "state", "client", "user", "invoice", "order"),
        ([use[column] or "" for column in columns] for use in uses),
    )


def _put_page(rows: list[dict[str, Any]]) -> None:
    if not rows:
        put_line("There is no code here.")
        return
    put_table(
        ("id", "code", "status", "active", "batch", "used"),
        ([row[column] for column in LIST_COLUMNS] for row in rows),
    )
