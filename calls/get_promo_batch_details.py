"""getPromoBatchDetails."""

from calls import Answer, Caller, call, php
from calls.rendering import row_json
from calls.wire import ids, pages, schemas
from models.promotions import batches, coupon_lists
from models.store import base


class Arguments(pages.PageParams, ids.BatchIdParams):
    """Ask for a batch and a page of its coupons."""


@call("getPromoBatchDetails", params=Arguments, extension=True)
def get_promo_batch_details(caller: Caller, id: int, page: pages.Page) -> Answer:
    """Show a batch as listPromoBatches does, with a page of its coupons."""
    columns = row_json.columns(schemas.Coupon)
    with base.snapshot():
        batch = batches.by_id(id)
        total = batch.coupons_count - batch.carried_count
        *heads, terms_ids = batches.by_ids(row_json.columns(schemas.Batch), [id])
        held = coupon_lists.of_batch(columns, id, total, page.number, page.size)
        members = ",".join(row_json.of_rows(schemas.Coupon, held, caller.places))
        whole = [*heads, [members], terms_ids]
        [text] = row_json.render(schemas.Batch, whole, caller.places, caller.zone)
    return Answer({"batch": php.Raw(text.encode())}, sorter=page.sorter(total))
