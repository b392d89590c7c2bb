"""Codes as CSV: promobridge coupon import."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from app import config
from app.exchange import csv_import
from models.promotions import batch_life, batches, coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.store import counters
from tests.app.conftest import Run, Take
from tests.terms import but

pytestmark = pytest.mark.usefixtures("store")
ROOT = Path(__file__).parents[3]
DAY = date(2026, 1, 10)


def test_imports_codes_with_terms_of_their_own(take: Take) -> None:
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
        "remarks": [],
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
    assert (counters.count(counters.COUPONS), counters.count(counters.SINGLE_COUPONS)) == (3, 3)


def test_options_stand_for_empty_cells_and_missing_columns(take: Take) -> None:
    options = ("--value", "7", "--max-usage", "3", "--products", "1,2", "--products", "3")
    assert take("code,value,max_usage\nA,,\nB,9,0\n", *options)["stored"] == 2
    a, b = coupons.by_code("A").terms, coupons.by_code("B").terms
    assert (a.value, a.max_usage, list(a.products)) == (Decimal(7), 3, ["1", "2", "3"])
    assert (b.value, b.max_usage, list(b.products)) == (Decimal(9), 0, ["1", "2", "3"])


def test_switches_mean_what_they_mean_in_add_promo_code(take: Take) -> None:
    take(
        "code,value,apply_products,products,max_usage_limit,usage_limit\nA,1,0,,yes,4\nB,1,1,5,0,\n"
    )
    a, b = coupons.by_code("A").terms, coupons.by_code("B").terms
    assert (a.products, a.max_usage) == ({}, 4)
    assert (b.products, b.max_usage) == ({"5": "5"}, 0)
    assert take("code,value,apply_products,products\nC,1,0,5\n")["status"] == 1


def test_a_batch_lends_its_terms_and_counts_its_new_codes(take: Take) -> None:
    terms = Terms.of(value=Decimal(20), type="percent", max_usage=1)
    batch = batch_life.make("Spring", terms, 2)
    done = take("code,value\nA,\nB,30\n", "--batch", str(batch.id))
    assert (done["stored"], done["status"]) == (2, 0)
    a, b = coupons.by_code("A"), coupons.by_code("B")
    assert a.batch_id == b.batch_id == batch.id
    assert (a.terms.id, b.terms.id) == (terms.id, but(terms, value=Decimal(30)).id)
    grown = batches.by_id(batch.id)
    assert (grown.coupons_count, grown.made, grown.requested) == (4, 4, 4)
    assert grown.revision > batch.revision
    assert counters.count(counters.SINGLE_COUPONS) == 0


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
def test_files_as_spreadsheets_write_them(take: Take, data: bytes, codes: str) -> None:
    assert (take(data)["stored"], take(data)["stored"]) == (2, 0)
    assert [coupon.code for coupon in Coupon.select().order_by(Coupon.id)] == list(codes)


def test_a_dry_run_checks_everything_and_stores_nothing(
    run: Run, take: Take, tmp_path: Path
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
    take: Take, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_import, "KEPT_TERMS", 2)
    text = "code,value\n" + "".join(f"C{n},{n % 5}\n" for n in range(25))
    assert take(text)["stored"] == 25
    assert [row.terms.value for row in Coupon.select().order_by(Coupon.id)] == [
        Decimal(n % 5) for n in range(25)
    ]
