"""listPromoCodes."""

from calls import Answer, Caller, call, php
from calls.rendering import row_texts
from calls.wire import pages, schemas
from models.promotions import coupons
from models.store import base


class Arguments(pages.PageParams):
    """Ask for a page of coupons."""

    include_batch = php.Flag()


@call("listPromoCodes", params=Arguments)
def list_promo_codes(caller: Caller, page: int, perpage: int | None, include_batch: bool) -> Answer:
    """List coupons, newest first; those that belong to batches only with include_batch=1."""
    settings = caller.settings
    asked = pages.Page.of(page, perpage, settings.codes_per_page, settings.codes_per_page_max)
    with base.snapshot():
        total = coupons.total(include_batch)
        found = coupons.newest(
            row_texts.columns(schemas.CouponLine), total, asked.number, asked.size, include_batch
        )
    lines = row_texts.of_found(schemas.CouponLine, found)
    tag = asked.tag(caller, total, found)
    return Answer({"coupons": php.Rows(lines)}, sorter=asked.sorter(total), tag=tag)
