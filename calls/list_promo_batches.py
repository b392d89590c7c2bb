"""listPromoBatches."""

from calls import Answer, Caller, call, php
from calls.rendering import batch_texts
from calls.wire import pages
from models.promotions import batches


@call("listPromoBatches", params=pages.PageParams)
def list_promo_batches(caller: Caller, page: int, perpage: int | None) -> Answer:
    """List batches with all their coupons, newest first."""
    settings = caller.settings
    asked = pages.Page.of(page, perpage, settings.batches_per_page, settings.batches_per_page_max)
    total, found = batches.page(asked.number, asked.size)
    texts = batch_texts.texts(found, caller.zone, caller.fragments, place=asked)
    tag = asked.tag(caller, total, found)
    return Answer({"batches": php.Rows(texts)}, sorter=asked.sorter(total), tag=tag)
