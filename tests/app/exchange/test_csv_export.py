"""Codes as CSV: promobridge batch export."""

from __future__ import annotations

import csv
import io
import json
import stat
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from app.exchange import csv_export, private_files
from app.exchange.csv_cells import escape_formula, unescape_formula
from models.promotions import batch_life, coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.redemptions import redemptions
from models.redemptions.use_rules import Item, Use
from tests.app.conftest import Run, Take

pytestmark = pytest.mark.usefixtures("store")
DAY = date(2026, 1, 10)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_exports_every_code_with_its_own_terms_and_uses(run: Run) -> None:
    terms = Terms.of(
        value=Decimal("12.5"),
        type="fixed",
        expires=date(2030, 12, 31),
        max_usage=2,
        products={"5": "5", "7": "7"},
        cycles={"Monthly": "Monthly"},
        min_cart_amount=Decimal(10),
        notes="two\nlines, and ż",
    )
    batch_life.make("Other", Terms.of(), 1)
    batch = batch_life.make("Spring", terms, 3)
    first, second, third = Coupon.select().where(Coupon.batch_id == batch.id).order_by(Coupon.id)
    for order in (1, 2):
        bought = Item({"products": frozenset({"5"})}, "monthly", amount=Decimal(20))
        use = Use(DAY, 2, order_id=order, amount=Decimal(20), items=(bought,))
        redemptions.redeem(coupons.by_id(second.id), use)
    Coupon.update(live=None, terms=Terms.of(type="percent")).where(Coupon.id == third.id).execute()
    result = run("batch", "export", str(batch.id))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout_bytes.startswith(b"code,status,active,uses,max_usage,")
    rows = rows_of(result.stdout_bytes.decode())
    assert [row["code"] for row in rows] == [first.code, second.code, third.code]
    assert [row["status"] for row in rows] == ["Active", "Active", "Archived"]
    assert [(row["active"], row["uses"]) for row in rows] == [("1", "0"), ("0", "2"), ("1", "0")]
    assert {name: rows[1][name] for name in csv_export.TERMS} == {
        "max_usage": "2",
        "max_client_usage": "0",
        "expires": "2030-12-31",
        "coupon_type": "cart",
        "type": "fixed",
        "value": "12.50",
        "applyto": "price",
        "cycle": "once",
        "clients": "all",
        "client_id": "0",
        "min_cart_amount": "10.00",
        "prompt_cart_amount": "0.00",
        "increase_in_days": "0",
        "products": "5,7",
        "categories": "",
        "domains": "",
        "addons": "",
        "forms": "",
        "cycles": "Monthly",
        "options": "0",
        "upgrades": "all",
        "firstname": "",
        "lastname": "",
        "notes": "two\nlines, and ż",
    }
    assert (rows[2]["type"], rows[2]["value"], rows[2]["expires"]) == ("percent", "0.00", "")


@pytest.mark.parametrize(
    ("places", "shown"),
    [(0, ("1.555", "20")), (3, ("1.555", "20.000")), (4, ("1.5550", "20.0000"))],
)
def test_amounts_have_the_decimals_of_the_currency(
    places: int, shown: tuple[str, str], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = Terms.of(type="fixed", value=Decimal("1.555"), min_cart_amount=Decimal(20))
    batch = batch_life.make("Fine", terms, 1)
    monkeypatch.setenv("PROMOBRIDGE_AMOUNT_PLACES", str(places))
    (row,) = rows_of(run("batch", "export", str(batch.id)).stdout)
    assert (row["value"], row["min_cart_amount"]) == shown
    for path in (("batch", "show", str(batch.id)), ("coupon", "show", row["code"])):
        terms_shown = json.loads(run(*path, "--json").stdout)["terms"]
        assert (terms_shown["value"], terms_shown["min_cart_amount"]) == shown


def test_exports_in_slices(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_export, "SLICE", 3)
    batch = batch_life.make("Spring", Terms.of(), 10)
    rows = rows_of(run("batch", "export", str(batch.id)).stdout_bytes.decode())
    assert [row["code"] for row in rows] == [
        coupon.code for coupon in Coupon.select().order_by(Coupon.id)
    ]


def test_an_exported_file_is_for_its_owner_only(run: Run, tmp_path: Path) -> None:
    batch = batch_life.make("Spring", Terms.of(), 2)
    path = tmp_path / "spring.csv"
    path.write_text("what was there before, and longer than what comes" * 100)
    path.chmod(0o644)
    result = run("batch", "export", str(batch.id), "--output", str(path))
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"Warning: {path} is there already and is replaced\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == run("batch", "export", str(batch.id)).stdout_bytes
    assert len(rows_of(path.read_text())) == 2


def test_an_export_that_fails_leaves_the_file_as_it_was(run: Run, tmp_path: Path) -> None:
    (tmp_path / "old.csv").write_text("old")
    folder = tmp_path / "folder"
    folder.mkdir()
    for number, path in (
        ("7", tmp_path / "old.csv"),
        ("1", folder),
        ("1", folder / "none" / "new.csv"),
    ):
        result = run("batch", "export", number, "--output", str(path))
        assert result.exit_code == 1
        assert result.stderr.startswith("Error: ")
        batch_life.make("Spring", Terms.of(), 1)
    assert (tmp_path / "old.csv").read_text() == "old"


def test_a_file_that_is_half_written_is_not_kept(tmp_path: Path) -> None:
    def broken() -> None:
        with private_files.replacing(tmp_path / "old.csv") as name:
            name.write_bytes(b"half")
            raise KeyboardInterrupt

    (tmp_path / "old.csv").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        broken()
    assert (tmp_path / "old.csv").read_text() == "old"
    assert not list(tmp_path.rglob(".promobridge-*"))


def test_dangerous_codes_and_notes_come_out_escaped_and_in_again(
    run: Run, take: Take, tmp_path: Path
) -> None:
    dangerous = ["=HYPERLINK(1)", "'=1", "@SUM", "+1", "-1"]
    text = io.StringIO()
    csv.writer(text).writerows(
        [["code", "notes"], *([escape_formula(code), "'=A1"] for code in dangerous)]
    )
    batch = batch_life.make("Spring", Terms.of(), 1)
    assert take(text.getvalue(), "--batch", str(batch.id))["stored"] == 5
    assert Coupon.get(Coupon.code == "'=1").terms.notes == "=A1"
    exported = run("batch", "export", str(batch.id)).stdout_bytes.decode()
    cells = [cell for row in csv.reader(io.StringIO(exported)) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    inside = [row["code"] for row in rows_of(exported)[1:]]
    assert [unescape_formula(cell) for cell in inside] == dangerous
