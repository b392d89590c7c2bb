"""Codes as CSV: batch export, coupon import."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from app import config, csv_export, csv_import, csv_sheets, private_files
from app.cli import main
from app.csv_cells import defused, plain
from models import batch_life, batches, coupons, redemptions, tallies
from models.coupons import Coupon
from models.errors import Conflict
from models.recount import differences
from models.terms import Terms
from models.uses import Use

DAY = date(2026, 1, 10)
ROOT = Path(__file__).parents[2]
Run = Callable[..., Result]


@pytest.fixture
def run(settings: config.Settings, store: config.Settings) -> Run:
    """Return a function that runs one command over the store of the test."""
    runner = CliRunner(env={config.variable("database_url"): settings.database_url})
    return lambda *arguments, **options: runner.invoke(main, arguments, **options)


@pytest.fixture
def take(run: Run, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Return a function that imports a text and returns the JSON value, `status` in it."""

    def take(text: str | bytes, *options: str) -> dict[str, Any]:
        path = tmp_path / "codes.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        result = run("coupon", "import", str(path), "--json", *options)
        assert result.stderr == ""
        counts_are_right = list(differences()) == []
        assert counts_are_right
        return json.loads(result.stdout) | {"status": result.exit_code}

    return take


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
        redemptions.redeem(
            coupons.by_id(second.id), Use(DAY, 2, order_id=order, amount=Decimal(20))
        )
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
        "value": "12.5",
        "applyto": "price",
        "cycle": "once",
        "clients": "all",
        "client_id": "0",
        "min_cart_amount": "10",
        "prompt_cart_amount": "0",
        "increase_in_days": "0",
        "products": "5,7",
        "categories": "",
        "domains": "",
        "addons": "",
        "forms": "",
        "cycles": "Monthly",
        "notes": "two\nlines, and ż",
    }
    assert (rows[2]["type"], rows[2]["value"], rows[2]["expires"]) == ("percent", "0", "")


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
    assert (result.exit_code, result.output) == (0, "")
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
        with private_files.replacing(tmp_path / "old.csv") as file:
            file.write(b"half")
            raise KeyboardInterrupt

    (tmp_path / "old.csv").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        broken()
    assert (tmp_path / "old.csv").read_text() == "old"
    assert not list(tmp_path.rglob(".promobridge-*"))


@pytest.mark.parametrize(
    "text", ["=1", "+1", "-1", "@a", "\ta", "\ra", "\n=", "  =1", " \t", "'=1"]
)
def test_a_cell_that_a_spreadsheet_would_run_is_defused(text: str) -> None:
    assert defused(text) == f"'{text}"
    assert plain(defused(text)) == text


@pytest.mark.parametrize("text", ["", "A=1", "1-2", "'A", "A", " a", "'"])
def test_other_cells_stay(text: str) -> None:
    assert defused(text) == text == plain(text)


def test_dangerous_codes_and_notes_come_out_defused_and_in_again(
    run: Run, take: Callable[..., Any], tmp_path: Path
) -> None:
    dangerous = ["=HYPERLINK(1)", "'=1", "@SUM", "+1", "-1"]
    text = io.StringIO()
    csv.writer(text).writerows(
        [["code", "notes"], *([defused(code), "'=A1"] for code in dangerous)]
    )
    batch = batch_life.make("Spring", Terms.of(), 1)
    assert take(text.getvalue(), "--batch", str(batch.id))["stored"] == 5
    assert Coupon.get(Coupon.code == "'=1").terms.notes == "=A1"
    exported = run("batch", "export", str(batch.id)).stdout_bytes.decode()
    cells = [cell for row in csv.reader(io.StringIO(exported)) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    inside = [row["code"] for row in rows_of(exported)[1:]]
    assert [plain(cell) for cell in inside] == dangerous


def test_imports_codes_with_terms_of_their_own(take: Callable[..., Any]) -> None:
    done = take(
        "code,type,value,expires,products,max_usage,status,notes\n"
        'BERLIN,percent,10,2030-12-31,"5, 7",1,Active,"a, b"\n'
        "TORUN,fixed,12.50,,,,Archived,\n"
        "OVER,percent,5,2020-01-01,,,,\n"
    )
    assert done == {
        "read": 3,
        "stored": 3,
        "bad": 0,
        "problems_count": 0,
        "problems": [],
        "dry_run": False,
        "status": 0,
    }
    berlin, torun, over = map(coupons.by_code, ("BERLIN", "TORUN", "OVER"))
    assert (berlin.batch_id, berlin.live, berlin.active, berlin.num_usage) == (0, True, True, 0)
    assert (
        berlin.terms.id
        == Terms.of(
            value=Decimal(10),
            expires=date(2030, 12, 31),
            products={"5": "5", "7": "7"},
            max_usage=1,
            notes="a, b",
        ).id
    )
    assert torun.terms.id == Terms.of(type="fixed", value=Decimal("12.5")).id
    assert (torun.live, torun.active, over.live, over.active) == (None, True, True, False)
    assert (tallies.count(tallies.COUPONS), tallies.count(tallies.SINGLE_COUPONS)) == (3, 3)


def test_options_stand_for_empty_cells_and_missing_columns(take: Callable[..., Any]) -> None:
    options = ("--value", "7", "--max-usage", "3", "--products", "1,2", "--products", "3")
    assert take("code,value,max_usage\nA,,\nB,9,0\n", *options)["stored"] == 2
    a, b = coupons.by_code("A").terms, coupons.by_code("B").terms
    assert (a.value, a.max_usage, list(a.products)) == (Decimal(7), 3, ["1", "2", "3"])
    assert (b.value, b.max_usage, list(b.products)) == (Decimal(9), 0, ["1", "2", "3"])


def test_switches_mean_what_they_mean_in_add_promo_code(take: Callable[..., Any]) -> None:
    take(
        "code,value,apply_products,products,max_usage_limit,usage_limit\nA,1,0,5,1,4\nB,1,1,5,0,4\n"
    )
    a, b = coupons.by_code("A").terms, coupons.by_code("B").terms
    assert (a.products, a.max_usage) == ({}, 4)
    assert (b.products, b.max_usage) == ({"5": "5"}, 0)


def test_a_batch_lends_its_terms_and_counts_its_new_codes(take: Callable[..., Any]) -> None:
    terms = Terms.of(value=Decimal(20), type="percent", max_usage=1)
    batch = batch_life.make("Spring", terms, 2)
    done = take("code,value\nA,\nB,30\n", "--batch", str(batch.id))
    assert (done["stored"], done["status"]) == (2, 0)
    a, b = coupons.by_code("A"), coupons.by_code("B")
    assert a.batch_id == b.batch_id == batch.id
    assert (a.terms.id, b.terms.id) == (terms.id, terms.but(value=Decimal(30)).id)
    grown = batches.by_id(batch.id)
    assert (grown.coupons_count, grown.made, grown.requested) == (4, 4, 4)
    assert grown.revision > batch.revision
    assert tallies.count(tallies.SINGLE_COUPONS) == 0


@pytest.mark.parametrize(
    ("data", "codes"),
    [
        (b"\xef\xbb\xbfcode,value\r\nA,1\r\nB,2\r\n", "AB"),
        (b"code;value;products\nA;1;5,6\nB;2;\n", "AB"),
        (b"value\tcode\n1\tA\n2\tB", "AB"),
        (b"code,value\rA,1\rB,2\r", "AB"),
        (b'"Code", VALUE \n"A",1\n\n,\n"B",2\n', "AB"),
    ],
)
def test_files_as_spreadsheets_write_them(
    take: Callable[..., Any], data: bytes, codes: str
) -> None:
    assert (take(data)["stored"], take(data)["stored"]) == (2, 0)
    assert [coupon.code for coupon in Coupon.select().order_by(Coupon.id)] == list(codes)


def test_every_bad_line_is_named_and_nothing_is_stored(take: Callable[..., Any]) -> None:
    coupons.add("LIVE", Terms.of())
    coupons.add("OLD", Terms.of(), live=False)
    before = [row.id for row in Coupon.select().order_by(Coupon.id)]
    text = (
        "code,type,value,expires,client_id,status\n"
        "GOOD,percent,5,,,\n"  # 2
        ",percent,5,,,\n"
        f"{'L' * 33},percent,5,,,\n"
        "TYPE,percnt,101,2030-02-31,-1,Gone\n"  # 5
        "SUM,percent,101,,,\n"
        "EMPTY,percent,,,,\n"
        "LIVE,percent,5,,,\n"  # 8
        "OLD,percent,5,,,\n"
        "GOOD,percent,5,,,\n"  # 10
        '"TWO\nLINES",percent,5,,,\n'
        " BLANK,percent,5,,,\n"  # 13
        "SHORT,percent\n"
        "LONG,percent,5,,,,\n"
        '"A"B,percent,5,,,\n'
        "NAN,percent,NaN,,,\n"
        'COMMA,percent,"1,50",,,\n'  # 18
        "GOOD,percent,5,,,Archived\n"
    ).encode() + b"\xff\xfe,percent,5,,,\n"
    done = take(text)
    amount = "value: must be a number with 12 digits and 3 decimals at most"
    assert done["problems"] == [
        "line 3: code: is required",
        "line 4: code: must have 32 characters at most",
        "line 5: type: must be one of fixed, percent",
        "line 5: client_id: must be 0 or more",
        "line 5: expires: must be a date like 2030-12-31",
        "line 5: status: must be Active or Archived",
        "line 6: value: must be 100 at most when type is percent",
        "line 7: value: is required",
        "line 8: code: is live already",
        "line 10: code: is on an earlier line",
        "line 11: code: must be printable characters",
        "line 13: code: begins or ends with a blank",
        "line 14: has 2 cells, not 6",
        "line 15: has 7 cells, not 6",
        "line 16: is not CSV: ',' expected after '\"'",
        f"line 17: {amount}",
        f"line 18: {amount}",
        "line 20: code: must be printable characters",
    ]
    assert (done["read"], done["stored"], done["status"]) == (18, 0, 1)
    assert [row.id for row in Coupon.select().order_by(Coupon.id)] == before

    done = take(text, "--skip-bad")
    assert (done["stored"], done["status"]) == (3, 0)
    added = [row.code for row in Coupon.select().where(Coupon.id.not_in(before))]
    assert added == ["GOOD", "OLD", "GOOD"]


def test_named_problems_are_bounded_and_the_rest_is_counted(
    run: Run, take: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(csv_import, "NAMED", 3)
    monkeypatch.setattr(csv_import, "LINES", 2)
    text = "code,value\n" + "A,1\n" * 7
    done = take(text)
    assert done["problems"] == [f"line {line}: code: is on an earlier line" for line in (3, 4, 5)]
    assert (done["bad"], done["problems_count"]) == (6, 6)
    result = run("coupon", "import", str(tmp_path / "codes.csv"))
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [*done["problems"], "and 3 more problems"]
    assert "Nothing was stored" in result.stdout


def test_a_dry_run_checks_everything_and_stores_nothing(
    run: Run, take: Callable[..., Any], tmp_path: Path
) -> None:
    batch = batch_life.make("Spring", Terms.of(), 1)
    revision = batch.revision
    done = take("code,value\nA,1\n", "--dry-run", "--batch", str(batch.id))
    assert (done["dry_run"], done["bad"], done["status"]) == (True, 0, 0)
    assert take("code,value\nA,1\nA,1\n", "--dry-run")["status"] == 1
    assert Coupon.select().count() == 1
    assert batches.by_id(batch.id).revision == revision
    text = run("coupon", "import", str(tmp_path / "codes.csv"), "--dry-run", "--skip-bad").stdout
    assert text.splitlines()[-1] == "Nothing was stored: this was a dry run."
    assert Coupon.select().count() == 1


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "line 1: must be a header with a column code"),
        (b"A,1\nB,2\n", "line 1: must be a header with a column code"),
        ("code,value\n".encode("utf-16"), "line 1: must be a header with a column code"),
        (b"code,code\nA,B\n", "line 1: every column must have a name of its own"),
        (b"code,\nA,B\n", "line 1: every column must have a name of its own"),
        (b"code,expiry\nA,2030-01-01\n", "line 1: there is no column expiry; there are code, "),
        (b'code,value\nA,1\n"B,2\nC,3\n', "line 3: has a quote that is not closed"),
        (b"code,value\nA," + b"1" * 2_000_000, "line 2: is longer than 1,048,576 characters"),
    ],
)
def test_a_file_of_no_use_is_refused_whole(
    run: Run, tmp_path: Path, data: bytes, sentence: str
) -> None:
    path = tmp_path / "codes.csv"
    path.write_bytes(data)
    result = run("coupon", "import", str(path), "--value", "5", "--skip-bad")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: {sentence}")
    assert Coupon.select().count() == 0


def test_wrong_usage(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    path.write_text("code,value\nA,1\n")
    refused = run("coupon", "import", str(path), "--batch", "1", "--value", "5")
    assert refused.exit_code == 2
    assert "--value cannot be given with --batch" in refused.stderr
    refused = run("coupon", "import", str(path), "--value", "101", "--expires", "2030-02-31")
    assert refused.exit_code == 2
    assert "--expires must be a date like 2030-12-31" in refused.stderr
    refused = run("coupon", "import", str(path), "--value", "101")
    assert "--value must be 100 at most when type is percent" in refused.stderr
    assert run("coupon", "import", str(tmp_path / "none.csv")).exit_code == 1
    assert run("coupon", "import", str(tmp_path)).exit_code == 1


@pytest.mark.parametrize(
    ("expires", "live", "number", "sentence"),
    [
        (None, False, 1, "The batch is archived"),
        (date(2020, 1, 1), True, 1, "The batch has expired"),
        (None, True, 99, "There is no batch 99"),
    ],
)
def test_a_batch_that_takes_no_codes(
    run: Run, tmp_path: Path, expires: date | None, live: bool, number: int, sentence: str
) -> None:
    batch_life.edit(batch_life.make("Spring", Terms.of(expires=expires), 1).id, DAY, live=live)
    before = batches.by_id(1).revision
    path = tmp_path / "codes.csv"
    path.write_text("code\nA\n")
    refused = run("coupon", "import", str(path), "--batch", str(number))
    assert (refused.exit_code, refused.stderr) == (1, f"Error: {sentence}\n")
    assert batches.by_id(1).revision == before
    assert Coupon.select().count() == 1


@pytest.mark.usefixtures("store")
def test_a_batch_that_gets_other_terms_while_the_file_is_read(tmp_path: Path) -> None:
    batch = batch_life.make("Spring", Terms.of(), 1)
    path = tmp_path / "codes.csv"
    path.write_text("code\nA\n")

    @contextmanager
    def progress(what: str, total: int) -> Iterator[Callable[[int], object]]:
        yield lambda count: None
        if what == "Checking":
            batch_life.edit(batch.id, DAY, terms=lambda old: old.but(value=Decimal(3)))

    with (
        csv_sheets.opened(str(path)) as file,
        pytest.raises(Conflict, match="changed while the file was read"),
    ):
        csv_import.store(file, {}, DAY, progress, batch_id=batch.id)
    assert Coupon.select().count() == 1


def test_reads_what_can_be_read_only_once(run: Run, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("code,value\nA,1\n",))
    writer.start()
    assert run("coupon", "import", str(pipe)).exit_code == 0
    writer.join()
    assert coupons.by_code("A").terms.value == 1


def test_reads_standard_input(settings: config.Settings, store: config.Settings) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", "coupon", "import", "-", "--json"],
        cwd=ROOT,
        env=os.environ | {config.variable("database_url"): settings.database_url},
        input="code,value\nA,1\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(done.stdout)["stored"] == 1
    assert coupons.by_code("A").live


def test_many_different_terms_are_not_all_remembered(
    take: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_import, "KEPT_TERMS", 2)
    text = "code,value\n" + "".join(f"C{n},{n % 5}\n" for n in range(25))
    assert take(text)["stored"] == 25
    assert [row.terms.value for row in Coupon.select().order_by(Coupon.id)] == [
        Decimal(n % 5) for n in range(25)
    ]


def test_lines_are_counted_for_the_progress_bar(tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    path.write_text("code\n" + "A\n" * 1000)
    with csv_sheets.opened(str(path)) as file:
        assert csv_sheets.line_count(file) == 1001
        assert file.readline() == "code\n"
