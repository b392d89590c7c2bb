"""Codes as CSV: what promobridge coupon import refuses, line by line or whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from app.exchange import csv_import, csv_text
from models.promotions import batch_life, batches, coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.store.errors import Conflict
from tests.app.conftest import Run, Take
from tests.terms import but

pytestmark = pytest.mark.usefixtures("store")
DAY = date(2026, 1, 10)


def test_every_bad_line_is_named_and_nothing_is_stored(take: Take) -> None:
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
        " good ,percent,5,,,\n"  # 13
        "SHORT,percent\n"
        "LONG,percent,5,,,,\n"
        '"A"B,percent,5,,,\n'
        "NAN,percent,NaN,,,\n"
        'COMMA,percent,"1,50",,,\n'  # 18
        "GOOD,percent,5,,,Archived\n"
    ).encode() + b"\xff\xfe,percent,5,,,\n"
    done = take(text, "--encoding", "utf-8")
    amount = "value: must be a number with 12 digits and 3 decimals at most"
    assert done["problems"] == [
        "line 3: code: is required",
        "line 4: code: must have 32 characters at most",
        "line 5: type: must be one of fixed, percent",
        "line 5: client_id: must be 0 or more",
        "line 5: expires: must be a date like 2030-12-31, or --date-format must say how it is "
        "written",
        'line 5: status: must be Active or Archived; --map "status=" leaves the column out',
        "line 6: value: must be 100 at most when type is percent",
        "line 7: value: is required: give the column, or --value for all codes",
        "line 8: code: is live already",
        "line 10: code: is on an earlier line",
        "line 11: code: must be printable characters",
        "line 13: code: is on an earlier line",
        "line 14: has 2 cells, not 6",
        "line 15: has 7 cells, not 6",
        "line 16: is not CSV: ',' expected after '\"'",
        f"line 17: {amount}",
        f"line 18: {amount}",
        "line 20: code: has bytes that are no text: say with --encoding what the file is in",
    ]
    assert (done["read"], done["stored"], done["status"]) == (18, 0, 1)
    assert [row.id for row in Coupon.select().order_by(Coupon.id)] == before

    done = take(text, "--skip-bad", "--encoding", "utf-8")
    assert (done["stored"], done["status"]) == (3, 0)
    rows = Coupon.select().where(Coupon.id.not_in(before)).order_by(Coupon.id)
    added = [row.code for row in rows]
    assert added == ["GOOD", "OLD", "GOOD"]


def test_named_problems_are_bounded_and_the_rest_is_counted(
    run: Run, take: Take, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(csv_import, "NAMED", 3)
    monkeypatch.setattr(csv_import, "CHUNK", 2)
    text = "code,value\n" + "A,1\n" * 7
    done = take(text)
    assert done["problems"] == [f"line {line}: code: is on an earlier line" for line in (3, 4, 5)]
    assert (done["bad"], done["problems_count"]) == (6, 6)
    result = run("coupon", "import", str(tmp_path / "codes.csv"))
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [*done["problems"], "and 3 more problems"]
    assert "Nothing was stored" in result.stdout


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "line 1: must be a header with a column code"),
        (b"A,1\nB,2\n", "line 1: must be a header with a column code"),
        (b"\n\nA,1\n", "line 3: must be a header with a column code"),
        ("code,value\n".encode("utf-16") + b"\0\xdc", "line 1 or one after it: is not UTF-16"),
        (b"code,code\nA,B\n", "line 1: every column must have a name of its own"),
        (b"code,\nA,B\n", "line 1: every column must have a name of its own"),
        (
            b"code,expiry\nA,2030-01-01\n",
            'line 1: there is no column expiry (did you mean --map "expiry=expires"?); ',
        ),
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


def test_a_batch_that_gets_other_terms_while_the_file_is_read(tmp_path: Path) -> None:
    batch = batch_life.make("Spring", Terms.of(), 1)
    path = tmp_path / "codes.csv"
    path.write_text("code\nA\n")

    @contextmanager
    def progress(what: str, total: int | None) -> Iterator[Callable[[int], object]]:
        yield lambda count: None
        if what == "Checking":
            batch_life.edit(batch.id, DAY, terms=lambda old: but(old, value=Decimal(3)))

    with (
        csv_text.opened(str(path)) as file,
        pytest.raises(Conflict, match="changed while the file was read"),
    ):
        csv_import.store(file, {}, DAY, progress, batch_id=batch.id)
    assert Coupon.select().count() == 1
