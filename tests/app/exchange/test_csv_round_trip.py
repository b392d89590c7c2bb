"""Codes as CSV: what an export says of a batch comes in again, also through Excel's form."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from app.exchange import csv_export, csv_import
from app.exchange.csv_cells import excel_text, text_of_cell
from models.checks.recount import differences
from models.imports.own_codes import STAYS_LIVE
from models.promotions import batch_life, batches, coupon_life, coupons
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms, ids_in
from models.redemptions import redemption_log, redemptions, releases
from models.redemptions.redemption import Redemption
from models.redemptions.use_rules import Item, Use
from tests.app.conftest import Run, Take
from tests.terms import but

pytestmark = pytest.mark.usefixtures("store")
DAY = date(2026, 1, 10)
AS_ODD = ("00123", "1E5", "MAR-1", "10/10/2030", "+48123", "-5", "=1+1", "TRUE", "ŻÓŁW-1")


@pytest.fixture
def batch() -> Batch:
    """Return a batch of used, used up, stopped, archived and odd codes with terms of several."""
    terms = Terms.of(
        value=Decimal("12.5"),
        max_usage=2,
        expires=date(2040, 2, 29),
        products={"5": "5", "7": "7"},
        upgrades={"3": "3", "4": "4"},
        cycles={"Monthly": "Monthly", "tld1": "tld1"},
        options="3",
        client_id=7,
        firstname="Zoë",
        lastname="=1",
    )
    bought = (Item({"products": frozenset({"5"})}, "monthly", amount=Decimal(20)),)
    made = batch_life.make("Spring", terms, len(AS_ODD) + 4)
    rows = list(Coupon.select().where(Coupon.batch_id == made.id).order_by(Coupon.id))
    for row, code in zip(rows[4:], AS_ODD, strict=True):
        coupon_life.edit(row.id, DAY, code=code)
    once, up, stopped, archived = rows[:4]
    for row, orders in ((once, [1]), (up, [2, 3])):
        for order in orders:
            redemptions.redeem(
                coupons.by_id(row.id),
                Use(DAY, 3, 7, order_id=order, items=bought, amount=Decimal(20)),
            )
    coupon_life.edit(stopped.id, DAY, active=False)
    coupon_life.edit(archived.id, DAY, live=False)
    coupon_life.edit(
        rows[5].id, DAY, terms=lambda old: but(old, notes=" two\nlines, ż ", type="fixed")
    )
    return batches.by_id(made.id)


def state(codes: Any) -> list[tuple[Any, ...]]:
    return [
        (row.code, row.live, row.active, row.stopped, row.num_usage, row.terms_id)
        for row in Coupon.select().where(codes).order_by(Coupon.id)
    ]


@pytest.mark.parametrize("options", [(), ("--for-excel",)])
@pytest.mark.parametrize("into_batch", [False, True])
def test_an_export_comes_in_again(
    run: Run, take: Take, batch: Batch, options: tuple[str, ...], into_batch: bool
) -> None:
    exported = run("batch", "export", batch.id, *options).stdout_bytes
    before = state(Coupon.batch_id == batch.id)
    assert [row[4] for row in before][:2] == [1, 2]
    other = batch_life.make("Other", batch.terms, 1)
    own = Coupon.get(Coupon.batch_id == other.id).id
    batch_life.edit(batch.id, DAY, live=False)
    coupons_before = Coupon.select().count()
    done = take(exported, *(("--batch", str(other.id)) if into_batch else ()))
    assert (done["stored"], done["problems"]) == (len(before), [])
    assert state((Coupon.batch_id == (other.id if into_batch else 0)) & (Coupon.id != own)) == [
        *before
    ]
    assert Coupon.select().count() == coupons_before + len(before)
    held = batches.by_id(other.id)
    counts = (len(before) + 1, 3) if into_batch else (1, 0)
    assert (held.coupons_count, held.coupons_used) == counts


@pytest.mark.parametrize(
    ("groups", "cells"),
    [
        ({"products": ["5", "7"], "upgrades": False}, ("5,7", "")),
        ({"products": {"0": "5"}, "upgrades": {}}, ("5", "")),
        ({"products": {"0": "0"}, "upgrades": "all"}, ("", "all")),
        ({"products": {}, "upgrades": ["3"]}, ("", "3")),
        ({"products": "5,7", "upgrades": 3}, ("5,7", "3")),
    ],
)
def test_groups_of_imports_come_out_as_they_are_decided_by(
    run: Run, take: Take, groups: dict[str, Any], cells: tuple[str, str]
) -> None:
    made = batch_life.make("Spring", Terms.of(**groups), 1)
    exported = run("batch", "export", made.id).stdout
    (row,) = csv.DictReader(io.StringIO(exported))
    assert (row["products"], row["upgrades"]) == cells
    coupon_life.delete(Coupon.get().id)
    assert take(exported)["stored"] == 1
    terms = coupons.by_code(row["code"]).terms
    assert [ids_in(terms.products), ids_in(terms.upgrades)] == [
        ids_in(each) for each in groups.values()
    ]


def test_uses_that_came_along_count_like_any(run: Run, take: Take) -> None:
    assert take("code,uses,max_usage,value\nA,1,2,5\nB,2,2,5\nC,9,,5\n")["stored"] == 3
    redemptions.redeem(coupons.by_code("A"), Use(DAY, 3, order_id=1))
    with pytest.raises(redemptions.Refused):
        redemptions.redeem(coupons.by_code("A"), Use(DAY, 3, order_id=2))
    found = [coupons.by_code(code) for code in "ABC"]
    assert [(each.num_usage, each.imported_usage, each.active) for each in found] == [
        (2, 1, False),
        (2, 2, False),
        (9, 9, True),
    ]
    assert list(differences()) == []


def test_what_an_operator_stopped_stays_so_when_terms_change(take: Take) -> None:
    take("code,active,uses,max_usage,value\nSTOPPED,0,0,2,5\nUP,0,2,2,5\n")
    for code in ("STOPPED", "UP"):
        coupon_life.edit(
            coupons.by_code(code).id, DAY, terms=lambda old: but(old, max_usage=old.max_usage + 1)
        )
    assert [coupons.by_code(code).active for code in ("STOPPED", "UP")] == [False, True]


def test_bad_cells_of_a_code_itself_are_named(take: Take) -> None:
    done = take(
        "code,status,active,uses,value\n"
        "A,ACTIVE,Yes,0,5\nB,archived,no,1,5\nC,Used,maybe,-1,5\nD,,,2147483648,5\nE,,,1.5,5\n"
    )
    assert done["problems"] == [
        'line 4: status: must be Active or Archived; --map "status=" leaves the column out',
        "line 4: active: must be 1 or 0",
        "line 4: uses: must be a whole number",
        "line 5: uses: must be 2147483647 or less",
        "line 6: uses: must be a whole number",
    ]


def test_a_line_archived_for_a_code_that_lives_says_how_to_stop_it(take: Take) -> None:
    coupons.add("LIVE", Terms.of())
    done = take("code,status,value\nNEW,Archived,5\nLIVE,Archived,5\n")
    assert done["problems"] == [
        f"line 3: code: {STAYS_LIVE}: promobridge coupon revoke CODE does",
    ]
    assert (done["stored"], coupons.by_code("LIVE").live, Coupon.select().count()) == (0, True, 1)
    # A file may hold the history of a code: the archived one and the one that lives.
    assert take("code,status,value\nA,Archived,5\nA,,5\nB,,5\nB,Archived,5\n")["stored"] == 4


class TestColumns:
    def test_those_that_are_named_in_their_order(self, run: Run, batch: Batch) -> None:
        result = run("batch", "export", batch.id, "--columns", "uses, code,id,value")
        first = Coupon.select().where(Coupon.batch_id == batch.id).order_by(Coupon.id).get()
        lines = result.stdout.splitlines()
        assert lines[:2] == ["uses,code,id,value", f"1,{first.code},{first.id},12.50"]

    def test_the_time_of_the_last_use_that_stands(
        self, run: Run, batch: Batch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(csv_export, "SLICE", 3)
        once, up = Coupon.select().where(Coupon.batch_id == batch.id).order_by(Coupon.id).limit(2)
        for at, use in enumerate(Redemption.select().order_by(Redemption.id)):
            Redemption.update(redeemed_at=1_800_000_000 + at).where(
                Redemption.id == use.id
            ).execute()
        last = Redemption.select().order_by(Redemption.id.desc()).get()

        def times() -> list[str]:
            text = run("batch", "export", batch.id, "--columns", "code,status,used_at").stdout
            return [row["used_at"] for row in csv.DictReader(io.StringIO(text))]

        rest = [""] * (batch.coupons_count - 2)
        assert times() == ["2027-01-15T08:00:00Z", "2027-01-15T08:00:02Z", *rest]
        releases.release(last.id, DAY)
        assert times() == ["2027-01-15T08:00:00Z", "2027-01-15T08:00:01Z", *rest]
        assert once.id < up.id

    def test_one_query_a_slice_and_none_unasked(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(csv_export, "SLICE", 10)
        made = batch_life.make("Spring", Terms.of(), 25)
        asked: list[tuple[int, ...]] = []
        last_uses = redemption_log.last_uses

        def counted(*ids: int) -> dict[int, int]:
            asked.append(ids)
            return last_uses(*ids)

        monkeypatch.setattr(redemption_log, "last_uses", counted)
        run("batch", "export", made.id)
        assert asked == []
        run("batch", "export", made.id, "--columns", "used_at")
        assert len(asked) == 3

    def test_codes_only(self, run: Run, take: Take, batch: Batch) -> None:
        lines = run("batch", "export", batch.id, "--codes-only").stdout.splitlines()
        codes = [row.code for row in Coupon.select().order_by(Coupon.id)]
        assert [text_of_cell(line) for line in lines] == codes
        refused = run("batch", "export", batch.id, "--codes-only", "--columns", "code")
        assert (refused.exit_code, "cannot be given with" in refused.stderr) == (2, True)

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ("code,statu", "there is no column statu, did you mean status? There are code, "),
            ("code,xyz", "there is no column xyz There are code, "),
            ("code,code", "names a column twice"),
            (",", "there is no column "),
        ],
    )
    def test_unknown_ones(self, run: Run, batch: Batch, given: str, said: str) -> None:
        refused = run("batch", "export", batch.id, "--columns", given)
        assert refused.exit_code == 2
        assert said in " ".join(refused.stderr.split())


@pytest.mark.any_store
class TestExcel:
    def test_a_bom_and_texts_that_stay_texts(self, run: Run, batch: Batch) -> None:
        data = run("batch", "export", batch.id, "--for-excel").stdout_bytes
        assert data.startswith(b"\xef\xbb\xbfcode,status,")
        rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
        odd = ['="00123"', '="1E5"', '="MAR-1"', '="10/10/2030"', '="+48123"', '="-5"']
        odd += ["'=1+1", '="TRUE"', '="ŻÓŁW-1"']
        assert [row["code"] for row in rows[4:]] == odd
        assert (rows[4]["products"], rows[4]["expires"]) == ('="5,7"', '="2040-02-29"')
        assert (rows[0]["uses"], rows[4]["max_usage"]) == ("1", "2")

    @pytest.mark.parametrize(
        "text",
        [
            *("1", "0012", "1.5", "1,5", "1e5", "12E-3", "50%", "(5)", "$5", "1/2", "12:30", ".5"),
            *("MAR1", "1-MAR", "MAR 2030", "1-MAR-30", "OKT 5", "5 PM", "5 MAR 2026 2 PM"),
            *("true", "FALSE", "2030-12-31", "-5", "+1", "-SALE", "５"),  # noqa: RUF001
        ],
    )
    def test_what_excel_would_read_as_something_else(self, text: str) -> None:
        assert excel_text(text) == f'="{text}"'
        assert text_of_cell(excel_text(text)) == text

    @pytest.mark.parametrize("text", ["", "SPRING", "SPRING-A1", "XO-9B8C7", "a b", "TRUELY"])
    def test_other_texts_stay(self, text: str) -> None:
        assert excel_text(text) == text == text_of_cell(text)

    @pytest.mark.parametrize(
        "text",
        ["=1", "@1", "-1;=2", '-1"', "+1\t", "＝1", "-cmd|' /C calc'!A0", "-1=2"],  # noqa: RUF001
    )
    def test_nothing_is_put_into_a_formula_that_could_leave_it(self, text: str) -> None:
        assert excel_text(text).startswith("'")
        assert text_of_cell(excel_text(text)) == text

    def test_a_cell_that_a_sheet_keeps_as_text_is_read_as_it(self, take: Take) -> None:
        assert take('code,value\n"=""0042""","=""5"""\n')["stored"] == 1
        assert coupons.by_code("0042").terms.value == 5


@pytest.mark.any_store
def test_memory_does_not_grow_with_the_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_import, "CHUNK", 100)

    def lines(count: int) -> Iterator[str]:
        yield "code,value,uses\n"
        for at in range(count):
            yield f"C{at},5,1\n"

    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            csv_import.store(
                lines(count), {}, DAY, lambda *_: nullcontext(lambda done: None), dry_run=True
            )
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(500)
    assert peak(10_000) < 1.3 * peak(5_000)


def test_the_commands_name_each_other(run: Run, batch: Batch, tmp_path: Path) -> None:
    for words in (("batch", "export"), ("coupon", "import")):
        told = run(*words, "--help").stdout
        assert "promobridge batch export 7 | promobridge coupon import -" in " ".join(told.split())
    path = tmp_path / "a.csv"
    path.write_bytes(run("batch", "export", batch.id).stdout_bytes)
    result = run("coupon", "import", path, "--json")
    assert (result.exit_code, json.loads(result.stdout)["stored"]) == (1, 0)
