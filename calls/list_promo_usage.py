"""listPromoUsage."""

from datetime import date, timedelta
from typing import Any

from marshmallow import ValidationError, validates_schema

from calls import Answer, Caller, call, php
from calls.wire import ids, pages, use_arguments
from models.promotions import coupons
from models.redemptions import redemption_log
from models.store import base, clock
from models.store.errors import NotFound


class Arguments(pages.PageParams):
    """Ask for a page of the log; both dates are days of the installation and included."""

    code = php.Text(load_default="", description="Only uses of this code.")
    batch_id = ids.Count(load_default=None, description="Only uses of codes of this batch.")
    client_id = ids.Count(load_default=None, description="Only uses by this client.")
    invoice_id = ids.Count(load_default=None, description="Only uses on this invoice.")
    date_from = php.Day(description="Only uses on this day or later.")
    date_to = php.Day(description="Only uses on this day or earlier.")

    @validates_schema
    def _in_order(self, data: dict[str, Any], **_: Any) -> None:
        first, last = data["date_from"], data["date_to"]
        if first and last and last < first:
            raise ValidationError("must not be before date_from", "date_to")


@call("listPromoUsage", params=Arguments, extension=True)
def list_promo_usage(
    caller: Caller,
    page: pages.Page,
    code: str,
    date_from: date | None,
    date_to: date | None,
    **filters: int | None,
) -> Answer:
    """List the uses of codes, newest first, released ones too."""
    wanted: dict[str, Any] = {name: id for name, id in filters.items() if id is not None}
    if code:
        wanted["code"] = _as_kept(code)
    if date_from:
        wanted["since"] = clock.midnight(date_from, caller.zone)
    if date_to and date_to < date.max:
        wanted["before"] = clock.midnight(date_to + timedelta(days=1), caller.zone)
    with base.snapshot():
        total = redemption_log.total(**wanted)
        found = redemption_log.newest(page.number, page.size, total, **wanted)
    return Answer(
        {"usage": [use_arguments.shown(caller, redemption) for redemption in found]},
        sorter=page.sorter(total),
    )


def _as_kept(code: str) -> str:
    """Return a code as its coupon has it; one that was deleted is in the log as it was."""
    try:
        return coupons.by_code(code).code
    except NotFound:
        return code
