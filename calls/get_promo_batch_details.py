"""getPromoBatchDetails."""

from calls import Answer, Caller, call, php
from calls.rendering import row_texts
from calls.wire import pages, schemas, use_arguments
from models.promotions import batches, coupons
from models.store import base


class Arguments(pages.PageParams):
    """Ask for a batch and a page of its coupons."""

    id = use_arguments.Id(required=True)

    class Meta(pages.PageParams.Meta):
        fields = ("id", *pages.PageParams._declared_fields)


@call("getPromoBatchDetails", params=Arguments, extension=True)
def get_promo_batch_details(caller: Caller, id: int, page: int, perpage: int | None) -> Answer:
    """Show a batch as listPromoBatches does, with a page of its coupons."""
    settings = caller.settings
    asked = pages.Page.of(page, perpage, settings.codes_per_page, settings.codes_per_page_max)
    with base.snapshot():
        batch = batches.by_id(id)
        total = batch.coupons_count - batch.carried_count
        *columns, terms_ids = batches.texts(row_texts.columns(schemas.Batch), [id])
        held = coupons.of_batch(
            row_texts.columns(schemas.Coupon), id, total, asked.number, asked.size
        )
        members = [[",".join(row_texts.of_rows(schemas.Coupon, held))]]
        [text] = row_texts.texts(schemas.Batch, [*columns, members, terms_ids], caller.zone)
    return Answer({"batch": php.Raw(text.encode())}, sorter=asked.sorter(total))
