"""listAPIUsage."""

from calls import Answer, Caller, call, php
from calls.wire import pages
from models.access import usage
from models.store import base


class Arguments(pages.PageParams):
    """Ask for a page of the log.

    `api_id` and `call` say who asks for what here, so the filters have other names: `access` is
    an API ID and `method` the name of a call.
    """

    access = php.Text(load_default="", max_length=128, description="Only calls by this API ID.")
    method = php.Text(load_default="", max_length=64, description="Only calls of this name.")


@call("listAPIUsage", params=Arguments, extension=True)
def list_api_usage(caller: Caller, page: pages.Page, access: str, method: str) -> Answer:
    """List the calls of the API, newest first: time, call, result, API ID, address, route."""
    filters = access or None, method or None
    with base.snapshot():
        total = usage.total(*filters)
        rows = usage.newest(page.number, page.size, *filters)
    lines = [
        {
            "id": str(row_id),
            "date": php.moment_text(at, caller.zone),
            "call": name,
            "success": "1" if success else "0",
            "message": message,
            "api_id": api_id,
            "address": address,
            "route": route,
        }
        for row_id, at, name, success, message, api_id, address, route in rows
    ]
    return Answer({"usage": lines}, sorter=page.sorter(total))
