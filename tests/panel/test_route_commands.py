"""The commands that say who answers which call, in the order that they guard."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app.cli import main
from app.config import Settings, variable
from models.panel import differences, pending, routes
from models.panel.differences import Compared, Found
from models.panel.routes import PanelRoute
from models.promotions import batch_life
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import redemptions
from models.redemptions.use_rules import Use
from models.store import clock
from models.store.base import change
from tests.panel.php_panel import PhpPanel
from tests.panel.walked import walked

APPLY, ADD, UPDATE = "applyInvoiceCoupon", "addPromoCode", "updatePromoCode"
BATCHES, CODES, DETAILS = "listPromoBatches", "listPromoCodes", "getPromoDetailsByCode"


@pytest.fixture(autouse=True)
def named_store(store: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name the store of the test in the environment, as an operator does."""
    monkeypatch.setenv(variable("database_url"), store.database_url)
    monkeypatch.setenv(variable("panel_equal_answers"), "3")


@pytest.fixture
def named_panel(panel: PhpPanel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> PhpPanel:
    """Name a panel and a pair of our own there."""
    file = tmp_path / "pair"
    file.touch(0o600)
    file.write_text("\n".join(panel.credentials.values()))
    monkeypatch.setenv(variable("panel_url"), panel.url)
    monkeypatch.setenv(variable("panel_ca"), str(panel.ca))
    monkeypatch.setenv(variable("panel_credentials_file"), str(file))
    return panel


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["panel", *words])


def value(*words: str) -> Any:
    """Run a command with --json and return its one value."""
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refusal(*words: str) -> str:
    result = run(*words)
    assert result.exit_code == 1
    assert result.stdout == ""
    return result.stderr.removeprefix("Error: ").strip()


def modes() -> dict[str, str]:
    return {row["call"]: row["mode"] for row in value("routes")}


def proposals() -> set[str]:
    return {f"{row['call']}: {row['next']}".partition(":  ")[0] for row in value("routes")}


def equal(*names: str, count: int = 3) -> None:
    differences.note([Compared(name, []) for name in names] * count)


def test_all_is_forwarded_at_first_and_the_walk_comes_first() -> None:
    assert modes() == dict.fromkeys((*routes.READS, *routes.WRITES), "forward")
    for name, mode in [(APPLY, "write-through"), (CODES, "shadow"), (CODES, "local")]:
        said = refusal("route", name, mode)
        assert said.startswith(f"{name} to {mode} is too early: the panel's promotions have not")
        assert said.endswith("run `promobridge panel walk` first; or say --anyway")
    assert {row["next"].partition(":")[0] for row in value("routes")} == {
        "not yet write-through",
        "not yet shadow",
    }


def test_the_whole_way_there_in_its_order() -> None:
    walked()
    assert f"does not hear of {APPLY}, {ADD}, {UPDATE}" in refusal("route", CODES, "shadow")
    assert run("route", APPLY, ADD, UPDATE, "write-through").exit_code == 0
    assert "equal 3 times in a row, and were 0 times" in refusal("route", CODES, "local")
    assert run("route", BATCHES, CODES, DETAILS, "shadow").exit_code == 0
    equal(CODES, count=2)
    assert "and were 2 times" in refusal("route", CODES, "local")
    equal(BATCHES, CODES, DETAILS)
    assert f"{BATCHES}, {CODES}, {DETAILS} would not show it" in refusal("route", ADD, "local")
    assert run("route", BATCHES, CODES, DETAILS, "local").exit_code == 0
    walked(clock.now() + 1)
    assert run("route", APPLY, "local").exit_code == 0
    PanelRoute.update(since=clock.now() + 100).where(PanelRoute.mode == "local").execute()
    assert run("route", ADD, UPDATE, "local").exit_code == 0
    assert run("route", APPLY, "write-through").exit_code == 0
    assert run("route", APPLY, "local").exit_code == 0
    assert set(modes().values()) == {"local"}


def test_local_writes_need_a_walk_after_this_store_hears_of_them() -> None:
    walked(clock.now() - 100)
    run("route", APPLY, ADD, UPDATE, "write-through")
    run("route", BATCHES, CODES, DETAILS, "local", "--anyway")
    assert "run `promobridge panel walk` once more" in refusal("route", APPLY, "local")
    assert modes()[APPLY] == "write-through"
    walked(clock.now() + 1)
    assert run("route", APPLY, "local").exit_code == 0


def test_writes_are_taken_over_together_or_one_by_one() -> None:
    """That one went from the panel to here does not mean that another one was not heard of."""
    now = clock.now()
    PanelRoute.insert_many(
        [
            {"call": name.lower(), "mode": mode, "previous": "forward", "since": now - 100}
            for names, mode in ((routes.WRITES, "write-through"), (routes.READS, "local"))
            for name in names
        ]
    ).execute()
    walked(now - 50)
    assert run("route", APPLY, "local").exit_code == 0
    assert run("route", ADD, UPDATE, "local").exit_code == 0
    assert set(modes().values()) == {"local"}


def test_nothing_is_routed_where_one_call_may_not_be() -> None:
    walked()
    run("route", APPLY, ADD, UPDATE, "write-through")
    run("route", BATCHES, CODES, DETAILS, "shadow")
    equal(BATCHES, CODES)
    assert "were 0 times" in refusal("route", BATCHES, CODES, DETAILS, "local")
    assert {modes()[name] for name in routes.READS} == {"shadow"}


def test_what_is_too_early_is_done_anyway_with_a_warning() -> None:
    done = run("route", CODES, "local", "--anyway")
    assert done.exit_code == 0
    assert done.stdout == f"{CODES}: forward -> local\n"
    assert done.stderr.startswith(f"Warning: {CODES} to local is too early: the panel's")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("getClients", "local"), "'getClients' has no route: name one of listPromoBatches, "),
        ((CODES, "getapimethods", "forward"), "'getapimethods' has no route"),
        ((CODES, "write-through"), f"{CODES} can be routed to forward, shadow, local"),
        ((CODES.upper(), APPLY, "shadow"), f"{APPLY} can be routed to forward, write-through"),
    ],
)
def test_what_has_no_such_route_is_refused_and_nothing_is_changed(
    words: tuple[str, ...], said: str
) -> None:
    assert said in refusal("route", *words, "--anyway")
    assert set(modes().values()) == {"forward"}


def test_names_are_taken_in_any_case() -> None:
    run("route", "LISTPROMOCODES", "local", "--anyway")
    assert modes()[CODES] == "local"


def test_enforce_is_kept_with_write_through_alone() -> None:
    assert run("route", CODES, "local", "--enforce").exit_code == 2
    walked()
    assert value("route", APPLY, "write-through", "--enforce")["routes"][0]["enforced"] is True
    assert value("route", APPLY, "write-through")["routes"][0]["enforced"] is False


def test_writes_that_the_panel_does_not_have_are_left_as_they_are(named_panel: PhpPanel) -> None:
    named_panel.set(lacking=f"{ADD},{UPDATE}")
    walked()
    assert f"The panel's release has no {ADD}, {UPDATE}" in refusal(
        "route", APPLY, ADD, UPDATE, "write-through", "--anyway"
    )
    assert set(modes().values()) == {"forward"}
    assert run("route", APPLY, "write-through").exit_code == 0
    assert run("route", CODES, "shadow").exit_code == 0


def test_a_switch_tells_what_it_waits_for() -> None:
    walked()
    with change():
        pending.take_off(APPLY, "here 1", 2)
    done = run("route", APPLY, "write-through")
    assert done.stderr == f"{APPLY}: waiting for 1 calls on their way to the panel\n"
    assert done.stdout == f"{APPLY}: forward -> write-through\n"


def test_going_back_tells_what_is_only_here(tmp_path: Path) -> None:
    batch = batch_life.make("Batch", Terms.of(coupon_type="invoice"), 30)
    one = Coupon.get(Coupon.batch_id == batch.id)
    for invoice in (1, 2, 3):
        use, _ = redemptions.redeem(one, Use(date(2030, 1, 1), 2, invoice_id=invoice))
    with change():
        pending.begin(APPLY, "d", "here", 0, redemption_id=use.id, coupon_id=one.id)
    run("route", APPLY, "local", "--anyway")
    back = value("route", APPLY, "write-through", "--enforce", "--anyway")
    assert (back["codes_only_here"], back["uses_only_here"]) == (30, 2)
    back = value("route", APPLY, "forward")
    assert (back["codes_only_here"], back["uses_only_here"]) == (30, 2)
    assert len(back["only_here"]) == 20
    assert {row["what"] for row in back["only_here"]} == {"code"}
    assert "codes_only_here" not in value("route", APPLY, "forward")
    file = tmp_path / "only.csv"
    run("route", APPLY, "local", "--anyway")
    told = run("route", APPLY, "forward", "--csv", str(file)).stdout.splitlines()
    assert told == [
        f"{APPLY}: local -> forward",
        "Only here: 30 codes that the panel does not have, 2 uses unknown to it",
    ]
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert [row["what"] for row in rows] == ["code"] * 30 + ["use"] * 2
    assert [(row["code"], row["invoice_id"]) for row in rows[30:]] == [
        (one.code, "1"),
        (one.code, "2"),
    ]


def test_differences_are_listed_ignored_and_forgotten() -> None:
    differences.note([Compared(CODES, [Found("coupons[].notes", '"a"', '"b"')])])
    differences.note([Compared(DETAILS, [Found("coupon.value", '"1"', '"2"')])])
    assert [(row["call"], row["path"]) for row in value("diffs")] == [
        (DETAILS, "coupon.value"),
        (CODES, "coupons[].notes"),
    ]
    assert len(value("diffs", CODES)) == 1
    assert value("diffs", "--ignore", "coupons[].notes") == value("diffs", DETAILS)
    assert "ignored are coupons[].notes, server_time" in refusal(
        "diffs", "--heed", "other"
    ).replace("server_time, coupons[].notes", "coupons[].notes, server_time")
    assert run("diffs", "--heed", "coupons[].notes").exit_code == 0
    assert value("diffs", "--clear") == []


def test_pending_writes_are_listed_and_settled() -> None:
    with change():
        row = pending.begin(APPLY, "d", "here 1", 0, code="NOWHERE", invoice_id=7)
        other = pending.begin(ADD, "e", "here 1", 600, code="NEW")
    assert [(each["id"], each["call"], each["outcome"]) for each in value("pending")] == [
        (row.id, APPLY, "unknown"),
        (other.id, ADD, "sent"),
    ]
    assert value("settle", str(row.id), "applied")["outcome"] == "applied"
    assert "has ended: applied" in refusal("settle", str(row.id), "refused")
    assert "may still answer" in refusal("settle", str(other.id), "refused")
    assert "There is no pending call 99" in refusal("settle", "99", "refused")


def test_a_code_whose_making_is_settled_gets_the_id_of_the_panel(named_panel: PhpPanel) -> None:
    made = batch_life.make("Batch", Terms.of(), 1)
    named_panel.ask(ADD, {"code": "NEW", "coupon_type": "cart", "type": "percent", "value": "5"})
    (there,) = named_panel.rows("coupon", "code = ?", "NEW")
    one = Coupon.get(Coupon.batch_id == made.id)
    fields = {"code": "NEW", "coupon_id": one.id, "reserved": True}
    with change():
        row = pending.begin(ADD, "d", "here 1", 0, **fields)
    assert value("settle", str(row.id), "applied")["outcome"] == "applied"
    assert Coupon.get().id == there["id"]


def test_the_status_names_the_panel_and_what_it_is(named_panel: PhpPanel) -> None:
    walked(1_700_000_000)
    told = value("status")
    assert told["url"] == named_panel.url
    assert (told["reachable"], told["version"]) == ("yes", "2025.3.2")
    assert told["last_walk"] == "2023-11-14T22:13:20Z"
    assert (told["pending"], told["differences"]) == (0, 0)
    named_panel.kill()
    assert value("status")["reachable"].startswith("The panel does not take connections")
