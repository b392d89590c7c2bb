"""Sheets as shops export them: encodings, delimiters, headings, days, lists without a header."""

from __future__ import annotations

import json
import shlex
import unicodedata
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from app import config
from app.exchange import csv_days
from app.exchange.csv_headings import Layout
from app.exchange.csv_import import COLUMNS
from models.checks.recount import differences
from models.promotions import coupons
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from tests.app.conftest import Run

pytestmark = pytest.mark.usefixtures("store")
Bring = Callable[..., dict[str, Any]]
GUESS = "The file is read as {}, a guess: --encoding says what it is"


@pytest.fixture
def bring(run: Run, store: config.Settings, tmp_path: Path) -> Bring:
    """Return a function that imports bytes, worth 10 each; `error` is what was said of it."""

    def bring(data: bytes | str, *options: str) -> dict[str, Any]:
        path = tmp_path / "sheet.csv"
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        result = run("coupon", "import", path, "--value", "10", "--json", *options)
        assert list(differences()) == []
        done = json.loads(result.stdout) if result.stdout else {"stored": 0, "problems": []}
        return done | {"status": result.exit_code, "error": result.stderr.strip()}

    return bring


def codes() -> list[str]:
    return [coupon.code for coupon in Coupon.select().order_by(Coupon.id)]


def terms_of(code: str) -> Terms:
    return coupons.by_code(code).terms


class TestEncodings:
    TEXT = "code\tnotes\r\nW-1\tfür Zoë\r\n"

    @pytest.mark.parametrize(
        ("encoding", "guess"),
        [
            ("utf-8", ""),
            ("utf-8-sig", ""),
            ("utf-16", GUESS.format("UTF-16")),
            ("utf-16-le", GUESS.format("UTF-16-LE")),
            ("utf-16-be", GUESS.format("UTF-16-BE")),
            ("cp1252", GUESS.format("Windows-1252")),
        ],
    )
    def test_a_guess_among_three_is_said(self, bring: Bring, encoding: str, guess: str) -> None:
        done = bring(self.TEXT.encode(encoding))
        assert (done["stored"], done["error"], terms_of("W-1").notes) == (1, guess, "für Zoë")
        assert done["remarks"] == ([guess] if guess else [])

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "windows-1252", "iso-8859-2"])
    def test_what_is_given_is_no_guess(self, bring: Bring, encoding: str) -> None:
        done = bring("code,notes\nW-1,schön\n".encode(encoding), "--encoding", encoding)
        assert (done["stored"], done["error"], terms_of("W-1").notes) == (1, "", "schön")

    def test_what_is_none_is_refused(self, bring: Bring) -> None:
        done = bring("code\nA\n", "--encoding", "utf-9")
        assert done["status"] == 2
        assert "utf-9 is none that is known; try utf-8" in done["error"]
        assert bring("code\nA\n", "--encoding", "hex")["status"] == 2

    def test_one_bad_byte_does_not_make_a_file_western(self, bring: Bring) -> None:
        done = bring("code,notes\nA,ż\nB,".encode() + b"\xfc\nC,\n")
        assert done["problems"] == [
            "line 3: notes: has bytes that are no text: say with --encoding what the file is in"
        ]
        assert done["error"] == ""

    def test_a_guess_that_does_not_fit_is_a_bad_line(self, bring: Bring) -> None:
        done = bring(b"code,notes\nA,\xfc\nB,\x81\n")
        assert [each[:14] for each in done["problems"]] == ["line 3: notes:"]
        assert done["error"] == GUESS.format("Windows-1252")


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\r\ncode;value\r\nA;5\r\nB;6\r\n",
        '"sep=;"\ncode;value\nA;5\nB;6\n',
        "SEP=|\ncode|value\nA|5\nB|6\n",
        "sep=\t\ncode\tvalue\nA\t5\nB\t6\n",
        "\n;;\ncode;value\nA;5\n\n;\n ; \nB;6\n;\n",
    ],
)
def test_separators_and_blank_rows(bring: Bring, text: str) -> None:
    assert (bring(text)["stored"], codes()) == (2, ["A", "B"])
    assert terms_of("B").value == 6


def test_lines_are_counted_as_an_editor_does(bring: Bring) -> None:
    done = bring('\nsep=;\n\ncode;type\n\n"A";"x"\nB;percent\n;\nC;y\n')
    wrong = "type: must be one of fixed, percent"
    assert done["problems"] == [f"line 6: {wrong}", f"line 9: {wrong}"]


class TestListsWithoutAHeader:
    SAID = "Line 1 is read as a code: the file has no header"

    def test_a_list_of_codes(self, bring: Bring) -> None:
        done = bring("LS-1\r\n\r\n LS-2 \r\nSUMMER\r\n")
        assert (done["stored"], done["error"]) == (3, self.SAID)
        assert codes() == ["LS-1", "LS-2", "SUMMER"]

    @pytest.mark.parametrize(
        "first", ["Coupon", "COUPONCODE", "Voucher codes", "Gutschein", "mã giảm giá", "notes"]
    )
    def test_a_heading_is_not_taken_for_a_code(self, bring: Bring, first: str) -> None:
        done = bring(f"{first}\nA1\n")
        assert (done["status"], codes()) == (1, [])
        assert f'--map "{first}=code"' in done["error"]
        assert bring(f"{first}\nA1\n", "--map", f"{first}=code")["stored"] == 1
        coupons.Coupon.delete().execute()

    def test_a_code_like_a_heading(self, bring: Bring) -> None:
        assert bring("coupon\nB\n", "--no-header")["stored"] == 2
        assert codes() == ["coupon", "B"]
        assert bring("code\n", "--no-header", "--map", "a=code")["status"] == 2
        assert bring("X,5\n", "--no-header")["problems"] == ["line 1: has 2 cells, not 1"]


class TestHeadings:
    SHOP = "Coupon Code,Ends on,Customers,Max uses per customer,State\nA,2030-01-31,5,2,NEW\n"

    def test_unknown_ones_are_named_with_proposals(self, bring: Bring) -> None:
        error = bring(self.SHOP)["error"]
        assert 'it has "Coupon Code", "Ends on", "Customers"' in error
        for option in ("Coupon Code=code", "Ends on=expires", "State=status"):
            assert f'--map "{option}"' in error
        error = bring(self.SHOP, "--map", "coupon CODE=code")["error"]
        assert "line 1: there is no column Ends on, Customers, Max uses per customer" in error
        assert '--map "Max uses per customer=max_client_usage"' in error
        assert "--ignore-other-columns" in error

    def test_some_are_taken_and_others_left_out_aloud(self, bring: Bring) -> None:
        maps = ("Coupon Code=code", "Ends on=expires", "Max uses per customer=max_client_usage")
        options = [word for each in maps for word in ("--map", each)]
        done = bring(self.SHOP, *options, "--ignore-other-columns")
        assert done["error"] == "Columns that are left out: Customers, State"
        assert (done["stored"], done["remarks"]) == (1, [done["error"]])
        assert (terms_of("A").expires, terms_of("A").max_client_usage) == (date(2030, 1, 31), 2)

    def test_a_known_column_can_be_left_out_too(self, bring: Bring) -> None:
        text = "code,status,value\nA,NEW,3\n"
        assert '--map "status=" leaves the column out' in bring(text)["problems"][0]
        assert bring(text, "--map", "status=", "--map", "VALUE=")["stored"] == 1
        assert terms_of("A").value == 10

    def test_a_mapped_heading_goes_before_one_of_that_name(self, bring: Bring) -> None:
        text = "code,voucher\n1,A\n"
        error = bring(text, "--map", "voucher=code")["error"]
        assert "line 1: every column must have a name of its own" in error
        assert bring(text, "--map", "voucher=code", "--ignore-other-columns")["stored"] == 1
        assert codes() == ["A"]

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ("code", 'must be like "Coupon code=code"'),
            ("=code", 'must be like "Coupon code=code"'),
            ("A=expire", "there is no column expire, did you mean expires?"),
        ],
    )
    def test_a_map_of_no_use(self, bring: Bring, given: str, said: str) -> None:
        done = bring("code\nA\n", "--map", given)
        assert (done["status"], said in done["error"]) == (2, True)

    def test_a_map_of_a_heading_that_is_not_there(self, bring: Bring) -> None:
        done = bring("code,note\nA,x\n", "--map", "Notice=notes")
        assert '--map names "Notice", but the headings are "code", "note"' in done["error"]

    def test_an_unnamed_column(self, bring: Bring) -> None:
        assert bring("code,\nA,x\n")["status"] == 1
        assert bring("code,,\nA,x,\n", "--ignore-other-columns")["stored"] == 1

    @pytest.mark.parametrize("name", COLUMNS)
    def test_every_column_is_proposed_for_names_near_it(self, name: str) -> None:
        layout = Layout(COLUMNS)
        assert layout.proposal(name.replace("_", " ").title()) == name
        assert layout.proposal(f"{name[:-1]}x") in (name, "cycle")


class TestDays:
    @pytest.mark.parametrize(
        ("form", "text"),
        [("%d-%m-%Y", "30-9-2030"), ("%d.%m.%y", "30.09.30"), ("%b %d, %Y", "Sep 30, 2030")],
    )
    def test_a_format(self, bring: Bring, form: str, text: str) -> None:
        assert bring(f'code,expires\nA,"{text}"\nB,\n', "--date-format", form)["stored"] == 2
        assert (terms_of("A").expires, terms_of("B").expires) == (date(2030, 9, 30), None)

    def test_a_day_that_does_not_fit_is_named_with_one_that_does(self, bring: Bring) -> None:
        done = bring("code,expires\nA,2030-09-30\nB,31.09.2030\n", "--date-format", "%d.%m.%Y")
        wrong = "expires: must be a date like 31.12.2030"
        assert done["problems"] == [f"line 2: {wrong}", f"line 3: {wrong}"]
        assert "--date-format" in bring("code,expires\nA,30.09.2030\n")["problems"][0]

    @pytest.mark.parametrize("form", ["%d.%m", "%H:%M", "dd.mm.yyyy", "%Y-%q", "%"])
    def test_a_format_without_a_day(self, bring: Bring, form: str) -> None:
        done = bring("code\nA\n", "--date-format", form)
        assert (done["status"], "a day, a month and a year" in done["error"]) == (2, True)

    @pytest.mark.parametrize(
        ("text", "zone", "day"),
        [
            ("2031-12-30T22:00:00Z", "UTC", "2031-12-30"),
            ("2031-12-30T22:00:00Z", "Europe/Tallinn", "2031-12-31"),
            ("2031-12-30T22:00:00.000+02:00", "America/New_York", "2031-12-30"),
            ("2031-12-30 23:59:59", "America/New_York", "2031-12-30"),
            ("0000-00-00", "UTC", "0000-00-00"),
        ],
    )
    def test_a_moment_is_of_a_day_of_the_zone(self, text: str, zone: str, day: str) -> None:
        assert csv_days.day_text(text, "", config.zoneinfo.ZoneInfo(zone)) == day

    @pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "2031-12-30Tnoon", "x" * 20])
    def test_no_moment(self, text: str) -> None:
        with pytest.raises(ValueError, match="must be a date like 2030-12-31"):
            csv_days.day_text(text, "", config.zoneinfo.ZoneInfo("America/New_York"))


@pytest.mark.parametrize(
    "cell", ["1.23457E+15", "1,23457E+15", "1E+15", "1.2e+16", "1.5E-07", "####", "#NAME?", "#REF!"]
)
def test_a_code_that_a_sheet_has_damaged_is_refused_as_that(bring: Bring, cell: str) -> None:
    done = bring(f'code\nA1\n"{cell}"\n1234567890123456\n')
    assert (done["stored"], len(done["problems"])) == (0, 1)
    assert done["problems"][0].startswith("line 3: code: is a number that a sheet has damaged")


@pytest.mark.parametrize("code", ["1E5", "E+15", "12E+15", "#A", "1.5", "5E-10", "2E+1", "A1E+15"])
def test_codes_that_only_look_odd_are_taken(bring: Bring, code: str) -> None:
    assert bring(f'code\n"{code}"\n')["stored"] == 1
    assert codes() == [code]


SHOPS: list[tuple[str, str, str, dict[str, dict[str, Any]]]] = [
    (
        "Code,MaxUses,MaxUsesPerCustomer\nMAY-1,1,1\nMAY-2,5,1\nMAY-3,,\n",
        "--map MaxUses=max_usage --map MaxUsesPerCustomer=max_client_usage",
        "utf-8",
        {"MAY-2": {"max_usage": 5, "max_client_usage": 1}, "MAY-3": {"max_usage": 0}},
    ),
    (
        '"Coupon Code",Created,Used,"Times Used"\n'
        'WED-KW,"Jun 2, 2021, 1:05:23 PM",No,0\nWED-LB,"Jun 2, 2021, 1:05:23 PM",Yes,1\n',
        "--map 'Coupon Code=code' --map 'Times Used=uses' --ignore-other-columns",
        "utf-8",
        {"WED-KW": {"num_usage": 0}, "WED-LB": {"num_usage": 1}},
    ),
    (
        '"id";"name";"code";"state";"validityEnd";"price"\r\n'
        '"71a";"Üldpakett";"5Zb";"USED";"2031-12-30T22:00:00Z";5,00\r\n',
        "--map validityEnd=expires --ignore-other-columns",
        "utf-8",
        {"5Zb": {"expires": date(2031, 12, 30)}},
    ),
    (
        "Tên,Ngày kết thúc,Mã giảm giá,Mô tả\nGiảm 8K,30-09-2030,21112,Giảm\nB,1-10-2030,21113,\n",
        "--map 'Mã giảm giá=code' --map 'Ngày kết thúc=expires' --date-format %d-%m-%Y "
        "--ignore-other-columns",
        "utf-8-sig",
        {"21112": {"expires": date(2030, 9, 30)}, "21113": {"expires": date(2030, 10, 1)}},
    ),
    ("sep=;\ncode;notes\nWEST-2;Maß\n", "", "cp1252", {"WEST-2": {"notes": "Maß"}}),
    ("code\tnotes\r\nUNI-2\tMaß\r\n", "", "utf-16", {"UNI-2": {"notes": "Maß"}}),
]
"""The text of a sheet as a shop writes it, options, its encoding, and what its codes must be."""


@pytest.mark.parametrize(("text", "options", "encoding", "right"), SHOPS)
def test_sheets_of_shops(
    bring: Bring, text: str, options: str, encoding: str, right: dict[str, dict[str, Any]]
) -> None:
    assert bring(text.encode(encoding), *shlex.split(options))["problems"] == []
    for code, values in right.items():
        coupon = coupons.by_code(code)
        found = {name: getattr(coupon, name, getattr(coupon.terms, name, None)) for name in values}
        assert found == values


def test_a_heading_is_found_however_its_accents_are_typed(bring: Bring) -> None:
    apart = unicodedata.normalize("NFD", "Mã")
    assert bring(f"{apart}\nA1\n", "--map", "MÃ=code")["stored"] == 1
