"""Writes through the panel: reserved here, sent once, confirmed by its answer."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from typing import Any

import pytest

from models.checks import recount
from models.panel import differences, pending, settlement
from models.panel.pending import PanelPending
from models.panel.routes import PanelRoute
from models.promotions import coupon_life, coupons
from models.promotions.coupons import Coupon
from models.redemptions.redemption import USED, Redemption
from models.store import clock
from tests.panel.fronts import Front
from tests.panel.walking import Walker
from tests.waiting import wait_until

APPLY, ADD, UPDATE = "applyInvoiceCoupon", "addPromoCode", "updatePromoCode"
CODE = "SINGLE000"
"""For any invoice, without limits."""
THREE = "SINGLE001"
"""For three uses."""
INVOICE = 801
NEW = {"code": "FRESH", "coupon_type": "invoice", "type": "percent", "value": "15"}


@pytest.fixture
def through(front: Front) -> Front:
    """Route the writes through the panel; some of its codes are known here."""
    front.take_over(CODE, THREE)
    front.route("write-through", APPLY, ADD, UPDATE)
    front.panel.execute("DELETE FROM coupon_use")
    return front


def uses(code: str) -> tuple[int, int]:
    """Return how often a code counts as used here, and how many uses of it stand."""
    one = coupons.by_code(code)
    standing = Redemption.select().where(Redemption.state == USED, Redemption.coupon_id == one.id)
    assert list(recount.differences()) == []
    return one.num_usage - one.imported_usage, standing.count()


def sent(front: Front, call: str = APPLY) -> int:
    """Return how often a call has reached the panel."""
    return len(front.panel.journal(call))


def states() -> list[str]:
    return [row.outcome for row in PanelPending.select().order_by(PanelPending.id)]


def paths() -> list[str]:
    return [row.path for row in differences.listed()]


def test_a_use_is_counted_on_both_sides_and_the_answer_is_the_panels(through: Front) -> None:
    before = through.panel.uses(CODE)
    answer = through.send(APPLY, id=INVOICE, applycoupon=CODE)
    assert answer.json["info"] == ["The coupon has been added to the invoice"]
    assert "Not checked" not in answer.text
    assert (uses(CODE), through.panel.uses(CODE)) == ((1, 1), before + 1)
    assert (states(), sent(through), paths()) == (["applied"], 1, [])
    assert differences.comparisons()[APPLY.lower()].equal == 1
    use = Redemption.get()
    assert (use.invoice_id, use.client_id, use.api_id) == (INVOICE, 2, through.panel.api_id)


def test_the_answer_is_that_of_the_panel_byte_for_byte(through: Front) -> None:
    through.panel.fault("status", APPLY, status=418)
    answer = through.send(APPLY, id=INVOICE, applycoupon=CODE)
    assert answer.status_code == 418
    assert answer.get_data() == through.panel.ask(APPLY, {"id": 1, "applycoupon": CODE}).body


def test_a_refusal_of_the_panel_gives_the_use_back(through: Front) -> None:
    with through.panel.fault("fail", APPLY, error="Invoice is locked"):
        refused = through.ask(APPLY, id=INVOICE, applycoupon=THREE)
    assert refused["error"] == ["Invoice is locked"]
    assert (uses(THREE), states()) == ((0, 0), [])
    (told,) = differences.listed(APPLY)
    assert (told.path, told.ours) == ("success", "true")
    assert told.theirs == "false: ['Invoice is locked']"
    assert through.ask(APPLY, id=INVOICE, applycoupon=THREE)["success"]
    assert uses(THREE) == (1, 1)


def test_the_same_coupon_twice_on_an_invoice_is_one_use(through: Front) -> None:
    assert through.ask(APPLY, id=INVOICE, applycoupon=CODE)["success"]
    again = through.ask(APPLY, id=INVOICE, applycoupon=CODE, more="1")
    assert again["error"] == ["This coupon is on the invoice already"]
    assert (uses(CODE), sent(through)) == ((1, 1), 2)


def test_what_the_panel_grants_counts_here_over_the_limit(through: Front) -> None:
    one = coupons.by_code(CODE)
    coupon_life.edit(one.id, clock.today(UTC), active=False)
    assert through.ask(APPLY, id=INVOICE, applycoupon=CODE)["success"]
    assert (uses(CODE), states(), paths()) == ((1, 1), ["applied"], ["success [code_inactive]"])
    (told,) = differences.listed(APPLY)
    assert told.ours == "false: The promotion code is not active"


def test_a_code_that_is_not_here_is_the_panels_matter(through: Front) -> None:
    assert through.ask(APPLY, id=INVOICE, applycoupon="SINGLE006")["success"]
    assert (states(), paths()) == (["applied"], ["success [code_not_found]"])
    assert not Redemption.select().exists()


def test_what_is_wrong_for_us_is_sent_too(through: Front) -> None:
    answer = through.ask(APPLY, id="seven", applycoupon=CODE)
    assert answer["error"] == ["Wrong parameter"]  # the words of the panel
    assert (sent(through), states(), paths()) == (1, [], [])


def test_enforced_refusals_are_not_sent(through: Front) -> None:
    through.route("write-through", APPLY, enforced=True)
    coupon_life.edit(coupons.by_code(CODE).id, clock.today(UTC), active=False)
    answer = through.ask(APPLY, id=INVOICE, applycoupon=CODE)
    assert answer["error"] == ["The promotion code is not active"]
    assert through.ask(APPLY, id="seven", applycoupon=CODE)["error"][0].startswith("Wrong param")
    assert (sent(through), states(), uses(CODE)) == (0, [], (0, 0))
    assert through.ask(APPLY, id=INVOICE, applycoupon=THREE)["success"]


@pytest.mark.parametrize("fault", ["drop", "lose", "cut", "html"])
def test_a_lost_answer_leaves_the_outcome_open(through: Front, fault: str) -> None:
    """Whatever the panel did: the use stays counted here, and the call is not sent again."""
    with through.panel.fault(fault, APPLY):
        lost = through.send(APPLY, id=INVOICE, applycoupon=CODE)
    assert lost.status_code == (200 if fault == "html" else 503)
    assert "Retry-After" not in lost.headers
    assert (states(), uses(CODE), sent(through)) == (["unknown"], (1, 1), 1)
    for _ in range(2):
        again = through.send(APPLY, id=INVOICE, applycoupon=CODE)
        assert (again.status_code, again.headers.get("Retry-After")) == (503, None)
        assert "it is not known whether" in again.json["error"][0]
        assert "it was not sent again" in again.json["error"][0]
    assert (states(), uses(CODE), sent(through)) == (["unknown"], (1, 1), 1)
    (row,) = pending.listed(10)
    if through.panel.rows("coupon_use"):
        settlement.settle(row.id, True, clock.today(UTC))
        assert uses(CODE) == (1, 1)
    else:
        settlement.settle(row.id, False, clock.today(UTC))
        assert uses(CODE) == (0, 0)
        assert through.ask(APPLY, id=INVOICE, applycoupon=CODE)["success"]
        assert uses(CODE) == (1, 1)


def test_another_key_does_not_make_it_another_call(through: Front) -> None:
    with through.panel.fault("lose", APPLY):
        through.send(APPLY, id=INVOICE, applycoupon=CODE)
    pair = dict(zip(("api_id", "api_key"), through.panel.access(), strict=True))
    through.register(**pair)
    again = through.send(APPLY.upper(), id=INVOICE, applycoupon=CODE, **pair)
    assert again.status_code == 503
    assert sent(through) == 1
    assert through.send(APPLY, id=INVOICE + 2, applycoupon=CODE).json["success"]


def test_nothing_sent_is_nothing_counted(through: Front) -> None:
    through.panel.kill()
    answer = through.send(APPLY, id=INVOICE, applycoupon=CODE)
    assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
    assert (states(), uses(CODE)) == ([], (0, 0))


def test_of_many_same_calls_at_once_one_is_sent(through: Front) -> None:
    def ask(_: int) -> int:
        return through.send(APPLY, id=INVOICE, applycoupon=CODE).status_code

    with through.panel.fault("delay", APPLY, seconds=1), ThreadPoolExecutor(4) as pool:
        answers = sorted(pool.map(ask, range(4)))
    assert answers == [200, 503, 503, 503]
    assert (sent(through), uses(CODE), states()) == (1, (1, 1), ["applied"])


def test_a_new_code_gets_the_id_of_the_panel(through: Front) -> None:
    assert through.ask(ADD, **NEW)["info"] == ["New coupon created"]
    (there,) = through.panel.rows("coupon", "code = 'FRESH'")
    assert coupons.by_code("FRESH").id == there["id"]
    assert (states(), paths()) == (["applied"], [])
    assert through.ask(APPLY, id=INVOICE, applycoupon="FRESH")["success"]
    assert uses("FRESH") == (1, 1)


def test_without_a_pair_of_our_own_the_id_is_read_with_the_callers(through: Front) -> None:
    (through.folder / "pair").unlink()
    through.app.config["PANEL"].settings = through.without_credentials()
    assert through.ask(ADD, **NEW)["success"]
    (there,) = through.panel.rows("coupon", "code = 'FRESH'")
    assert coupons.by_code("FRESH").id == there["id"]
    (asked,) = through.panel.journal("getPromoDetailsByCode")[-1:]
    assert asked.arguments["api_id"] == through.panel.api_id


def test_a_new_code_that_the_panel_refuses_is_gone(through: Front) -> None:
    with through.panel.fault("fail", ADD, error="No more codes"):
        assert through.ask(ADD, **NEW)["error"] == ["No more codes"]
    assert not Coupon.select().where(Coupon.code == "FRESH").exists()
    assert list(recount.differences()) == []


def test_a_new_code_that_is_deleted_here_meanwhile_is_the_panels_matter(through: Front) -> None:
    through.panel.fault("delay", ADD, seconds=2)
    through.panel.fault("fail", ADD, error="No more codes")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(through.ask, ADD, **NEW)
        made = wait_until(lambda: Coupon.get_or_none(Coupon.code == "FRESH"))
        coupon_life.delete(made.id)
        assert asked.result(60)["error"] == ["No more codes"]
    assert states() == []
    assert list(recount.differences()) == []


def test_a_new_code_whose_answer_was_lost_is_here_until_it_is_settled(through: Front) -> None:
    with through.panel.fault("lose", ADD):
        assert through.send(ADD, **NEW).status_code == 503
    assert coupons.by_code("FRESH").live
    (row,) = pending.listed(10)
    assert (row.code, row.outcome) == ("FRESH", "unknown")
    assert "it was not sent again" in through.ask(ADD, **NEW)["error"][0]
    assert sent(through, ADD) == 1


def test_a_change_is_made_on_both_sides_or_undone_here(through: Front) -> None:
    one = coupons.by_code(THREE)
    change: dict[str, Any] = {"id": one.id, "code": THREE, "coupon_type": "invoice"}
    change |= {"type": "percent", "value": "7.5"}
    assert through.ask(UPDATE, **change)["info"] == ["Coupon details changed"]
    assert coupons.by_code(THREE).terms.value == 7.5
    with through.panel.fault("fail", UPDATE, error="Locked"):
        assert not through.ask(UPDATE, **change | {"value": "8", "status": "Archived"})["success"]
    after = coupons.by_code(THREE)
    assert (after.terms.value, bool(after.live), after.active) == (7.5, True, True)
    (there,) = through.panel.rows("coupon", "id = ?", one.id)
    assert there["value"] == 7.5
    assert list(recount.differences()) == []


def test_a_walk_counts_no_use_twice(through: Front, walking: Walker) -> None:
    """The panel counts those that went through here, too."""
    walking.walk()
    before = {each.code: each.num_usage for each in Coupon.select()}
    for invoice, code in enumerate((CODE, THREE, THREE, "B1-CODE03"), INVOICE):
        assert through.ask(APPLY, id=invoice, applycoupon=code)["success"]
    through.panel.spend(THREE)
    PanelPending.update(ended_at=PanelPending.ended_at - 2).execute()
    for _ in range(2):
        walking.walk()
        assert list(recount.differences()) == []
        after = {each.code: each.num_usage for each in Coupon.select()}
        more = {code: n - before[code] for code, n in after.items() if n != before[code]}
        assert more == {CODE: 1, THREE: 3, "B1-CODE03": 1}
        there = {row["code"]: row["num_usage"] for row in through.panel.rows("coupon")}
        assert after == there


def test_a_long_answer_is_not_waited_for_without_end(
    through: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.panel.write_through.ANSWER_BYTES", 10)
    answer = through.send(APPLY, id=INVOICE, applycoupon=CODE)
    assert answer.status_code == 503
    assert (
        "larger than 10 bytes, which is the limit: ask for less at once; it is"
        in answer.json["error"][0]
    )
    assert states() == ["unknown"]


def test_credentials_are_in_no_difference_and_no_row(through: Front) -> None:
    error = f"Denied for {through.panel.api_id} {through.panel.api_key}"
    with through.panel.fault("fail", APPLY, error=error):
        through.ask(APPLY, id=INVOICE, applycoupon=CODE)
    (told,) = differences.listed(APPLY)
    assert told.theirs == "false: ['Denied for … …']"
    with through.panel.fault("lose", APPLY):
        through.send(APPLY, id=INVOICE, applycoupon=CODE)
    rows = json.dumps([*PanelPending.select().dicts()])
    assert through.panel.api_key not in rows


def test_while_a_switch_waits_new_writes_are_told_to_come_again(through: Front) -> None:
    with through.panel.fault("delay", APPLY, seconds=3), ThreadPoolExecutor(2) as pool:
        first = pool.submit(through.send, APPLY, id=INVOICE, applycoupon=CODE)
        wait_until(lambda: sent(through) == 1)
        switch = pool.submit(through.route, "forward", APPLY)
        wait_until(_is_closed)
        second = through.send(APPLY, id=INVOICE + 2, applycoupon=CODE)
        assert (second.status_code, "Retry-After" in second.headers) == (503, True)
        assert not switch.done()
        assert first.result().json["success"]
        switch.result()
    assert sent(through) == 1
    assert through.ask(APPLY, id=INVOICE + 2, applycoupon=CODE)["success"]
    assert uses(CODE) == (1, 1)


def _is_closed() -> bool:
    route = PanelRoute.get_or_none(PanelRoute.call == APPLY.lower())
    return route is not None and route.closed_until > clock.now()
