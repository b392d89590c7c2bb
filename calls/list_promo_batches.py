"""listPromoBatches."""

from calls import Answer, Caller, call, php
from calls.rendering import batch_json
from calls.wire import pages
from models.promotions import batches


@call("listPromoBatches", params=pages.BatchPageParams)
def list_promo_batches(caller: Caller, page: pages.Page) -> Answer:
    """List batches with all their coupons, newest first."""
    total, found = batches.page(page.number, page.size)
    sorter, tag = page.sorter(total), page.tag(caller, total, found)
    if caller.holds(tag):
        return Answer(sorter=sorter, tag=tag, unchanged=True)
    texts = batch_json.render(found, caller.places, caller.zone, caller.fragments, page=page)
    return Answer({"batches": php.Rows(texts)}, sorter=sorter, tag=tag)
