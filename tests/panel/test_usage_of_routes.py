"""The usage log tells who answered each call, the panel or this service."""

from __future__ import annotations

from typing import Any

from models.access.usage import ApiUsage
from models.panel import differences
from tests.panel.fronts import API, Front
from tests.waiting import wait_until


def logged(front: Front) -> list[tuple[Any, ...]]:
    """Return call, route and success of each row, oldest first."""
    front.app.config["USAGE_LOG"].close()
    columns = ApiUsage.call, ApiUsage.route, ApiUsage.success
    return list(ApiUsage.select(*columns).order_by(ApiUsage.id).tuples())


def test_each_call_has_its_route(front: Front) -> None:
    front.take_over("SINGLE000")
    front.ask("getClients")
    front.route("shadow", "listPromoCodes")
    front.ask("listPromoCodes")
    wait_until(differences.comparisons)  # its thread has a connection of its own
    front.route("local", "listPromoCodes")
    front.ask("listPromoCodes")
    front.route("write-through", "applyInvoiceCoupon")
    front.ask("applyInvoiceCoupon", id=801, applycoupon="SINGLE000")
    front.ask("validatePromoCode", code="SINGLE000")
    assert logged(front) == [
        ("getClients", "forward", True),
        ("listPromoCodes", "shadow", True),
        ("listPromoCodes", "local", True),
        ("applyInvoiceCoupon", "write-through", True),
        ("validatePromoCode", "local", True),
    ]


def test_a_panel_that_is_away_is_a_failure_of_the_route(front: Front) -> None:
    front.panel.stop("web")
    front.send("getClients")
    assert logged(front) == [("getClients", "forward", False)]


def test_an_unknown_pair_names_no_call(front: Front) -> None:
    pair = {"api_id": "nobody", "api_key": "nothing", "call": "getClients"}
    front.client.post(API, data=pair)
    front.app.config["USAGE_LOG"].close()
    assert front.panel.journal("getClients") == []
    assert [call for (call,) in ApiUsage.select(ApiUsage.call).tuples()] in ([], [""])
