"""listPromoUsage."""

from datetime import date, timedelta
from typing import Any

from marshmallow import ValidationError, validates_schema

from calls import Answer, Caller, call, php
from calls.wire import pages, use_arguments
from models.redemptions import redemption_log
from models.store import base, clock


class Arguments(pages.PageParams):
    """Ask for a page of the log; both dates are days of the installation and included."""

    code = php.Text(load_default="")
    batch_id = use_arguments.Id(minimum=0, load_default=None)
    client_id = use_arguments.Id(minimum=0, load_default=None)
    invoice_id = use_arguments.Id(minimum=0, load_default=None)
    date_from = php.Day()
    date_to = php.Day()

    @validates_schema
    def _in_order(self, data: dict[str, Any], **_: Any) -> None:
        first, last = data["date_from"], data["date_to"]
        if first and last and last < first:
            raise ValidationError("must not be before date_from", "date_to")


@call("listPromoUsage", params=Arguments, extension=True)
def list_promo_usage(
    caller: Caller,
    page: int,
    perpage: int | None,
    code: str,
    date_from: date | None,
    date_to: date | None,
    **filters: int | None,
) -> Answer:
    """List the uses of codes, newest first, released ones too."""
    settings = caller.settings
    asked = pages.Page.of(page, perpage, settings.codes_per_page, settings.codes_per_page_max)
    wanted: dict[str, Any] = {name: id for name, id in filters.items() if id is not None}
    if code:
        wanted["code"] = code
    if date_from:
        wanted["since"] = clock.midnight(date_from, caller.zone)
    if date_to and date_to < date.max:
        wanted["before"] = clock.midnight(date_to + timedelta(days=1), caller.zone)
    with base.snapshot():
        total = redemption_log.total(**wanted)
        found = redemption_log.newest(asked.number, asked.size, total, **wanted)
    return Answer(
        {"usage": [use_arguments.shown(caller, redemption) for redemption in found]},
        sorter=asked.sorter(total),
    )
