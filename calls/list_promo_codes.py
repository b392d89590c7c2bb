"""listPromoCodes."""

from calls import Answer, Caller, call, php
from calls.rendering import row_json
from calls.wire import pages, schemas
from models.promotions import coupon_lists
from models.store import base


class Arguments(pages.PageParams):
    """Ask for a page of coupons."""

    include_batch = php.Flag(description="List coupons of batches too.")


@call("listPromoCodes", params=Arguments)
def list_promo_codes(caller: Caller, page: pages.Page, include_batch: bool) -> Answer:
    """List coupons, newest first; those that belong to batches only with include_batch=1."""
    columns = row_json.columns(schemas.CouponLine)
    with base.snapshot():
        total = coupon_lists.total(include_batch)
        found = coupon_lists.newest(columns, total, page.number, page.size, include_batch)
    sorter, tag = page.sorter(total), page.tag(caller, total, found)
    if caller.holds(tag):
        return Answer(sorter=sorter, tag=tag, unchanged=True)
    lines = ",".join(row_json.render(schemas.CouponLine, found.columns(), caller.places))
    return Answer({"coupons": php.Raw(f"[{lines}]".encode())}, sorter=sorter, tag=tag)
