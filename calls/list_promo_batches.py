"""listPromoBatches."""

from collections.abc import Iterator
from datetime import tzinfo

from calls import Answer, Caller, call, pages, php, rendering, shapes
from models import base, batches, coupons, tallies


@call("listPromoBatches", params=pages.PageParams)
def list_promo_batches(caller: Caller, page: int, perpage: int | None) -> Answer:
    """List batches with all their coupons, newest first."""
    settings = caller.settings
    asked = pages.Page.of(page, perpage, settings.batches_per_page, settings.batches_per_page_max)
    total = tallies.count(tallies.BATCHES)
    return Answer({"batches": php.Rows(_batches(asked, caller.zone))}, sorter=asked.sorter(total))


def _batches(asked: pages.Page, zone: tzinfo) -> Iterator[str]:
    """Yield the text of each batch; nothing is held but one batch with its coupons."""
    with base.snapshot():
        for row in batches.newest(rendering.columns(shapes.Batch), asked.number, asked.size):
            held = coupons.of_batch(rendering.columns(shapes.Coupon), batch_id=row[0])
            inside = "[" + ",".join(rendering.render(shapes.Coupon, held)) + "]"
            yield rendering.one(shapes.Batch, (*row[:-1], inside, row[-1]), zone)
