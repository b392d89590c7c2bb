"""Texts that a spreadsheet runs: guarded in every export, taken off once by every import."""

from __future__ import annotations

import csv
import io
import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

import app
from app.cli import main
from app.config import Settings, variable
from app.exchange import saved_answers
from app.exchange.csv_cells import csv_bytes, escape_formula, unescape_formula
from app.exchange.csv_headings import Layout
from app.exchange.csv_sheets import Sheet
from models.access import secrets
from models.campaigns import campaigns
from models.promotions.campaign_counts import Owner
from models.promotions.coupons import Coupon
from tests import saved

SIGNS = "=+-@＝＋－＠﹦﹢﹣﹫"  # noqa: RUF001  # wide and small signs are meant
SEEN_THROUGH = " \x00\x01\x0b\x1f\x7f\x85\xa0\xad\u200b\u200e\u2028\u202e\u2060\u2066\u3000\ufeff"
"""What a spreadsheet may drop, or looks through, before a sign."""
ENDS = ";\t\r\n"
"""What ends a cell or a row where the list separator is no comma, quotes or not."""
LETTERS = f"""{SIGNS}{SEEN_THROUGH}{ENDS}'\",ab1ż\u05e9\u202c\U0001f381"""  # any
WIDE = "\uff1d1+1"
ODD = [
    *("=1", "'=1", "''=1", WIDE, "\t", "\t=1", "\r", "\n=1", "a\n=1", "a\r\n-1", "a;=1", "a\t@b"),
    *("\u200b=1", "\xa0=1", "\ufeff=1", '"', '"=1"', '""', " =1", " a", "a ", "'", "' ", "a;' =1"),
    *("a\r\n\r\n'+1", "=1;=2;'=3", "a,=1", "\u202e=1", "-", "", "'a", "=\n=\n=", 'a;"=1', '"\n"=1'),
]


def texts(count: int) -> list[str]:
    """Return texts of the letters above, the same ones each time."""
    chance = random.Random(17)  # noqa: S311  # no secret
    return [
        "".join(chance.choices(LETTERS, k=chance.choice((1, 2, 3, 4, 6, 9, 30))))
        for _ in range(count)
    ]


def runs(cell: str) -> bool:
    """Tell whether a spreadsheet may run a cell, or a part of it that it takes for one.

    It runs what begins with a sign of a formula, once what it does not show is left out.
    """
    for end in ENDS:
        cell = cell.replace(end, "\n")
    return any(part.lstrip(SEEN_THROUGH)[:1] in (*SIGNS,) for part in cell.split("\n"))


def parsed(data: bytes, delimiter: str = ",") -> list[list[str]]:
    """Return the cells of CSV as they stand in it."""
    return list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=delimiter))


@pytest.mark.without_store
def test_a_text_comes_out_of_a_sheet_as_it_went_in_and_runs_nowhere() -> None:
    tried = ODD + texts(5000)
    assert sum(map(runs, tried)) > 2000
    rows = [[f"C{at}", escape_formula(text), "z"] for at, text in enumerate(tried)]
    data = csv_bytes(rows)
    cells = parsed(data)
    assert cells == rows
    assert not [cell for row in cells for cell in row if runs(cell)]
    assert [unescape_formula(row[1]) for row in cells] == tried


@pytest.mark.without_store
def test_a_text_is_guarded_once_for_each_time_that_it_is_exported() -> None:
    for text in ODD + texts(1000):
        once = escape_formula(text)
        twice = escape_formula(once)
        assert unescape_formula(twice) == once
        assert unescape_formula(once) == text


@pytest.mark.without_store
def test_a_sheet_with_another_separator_runs_nothing_either() -> None:
    """As a spreadsheet reads it whose list separator is a semicolon or a tab: any line, any row."""
    rows = [["code", "notes"], *(["A", escape_formula(text)] for text in ODD + texts(2000))]
    lines = csv_bytes(rows).decode().replace("\r", "\n").split("\n")
    for delimiter in ";\t":
        parts = [part for line in lines for part in line.split(delimiter)]
        # A quote at its beginning is CSV's own, and no sign; what is behind one is looked at too.
        assert not [part for part in parts if runs(part.lstrip('"'))]


@pytest.mark.without_store
@pytest.mark.parametrize("piece", ["\t", "\n ", "; ", "'", ";'", " ", "=", ";=", "\u200b", "';"])
def test_a_long_text_is_guarded_and_read_in_linear_time(piece: str) -> None:
    """Eight times the text takes 64 times as long where it is not."""

    def least(count: int) -> float:
        taken = []
        for _ in range(5):
            start = time.thread_time()
            cell = escape_formula(piece * count)
            unescape_formula(cell)
            taken.append(time.thread_time() - start)
        return min(taken)

    assert least(200_000) < 24 * least(25_000) + 0.002


@pytest.fixture
def run(settings: Settings) -> Callable[..., Any]:
    """Return a function that runs one command over the store of the test."""
    runner = CliRunner(env={variable("database_url"): settings.database_url})
    return lambda *words: runner.invoke(main, [str(word) for word in words])


def kept(text: str) -> bool:
    """Tell whether a text can stand in notes."""
    return not any(each < " " and each not in "\t\r\n" for each in text) and not any(
        "\x7f" <= each <= "\x9f" for each in text
    )


def test_notes_and_codes_go_through_an_export_and_an_import_unchanged(
    run: Callable[..., Any], store: Settings, tmp_path: Path
) -> None:
    notes = [text for text in ODD + texts(400) if kept(text)]
    codes = {f"{sign}{at}": note for at, note in enumerate(notes) for sign in ["='+-@;"[at % 6]]}
    inside = [
        saved.coupon(at, 7, code=code, notes=note)
        for at, (code, note) in enumerate(codes.items(), 1)
    ]
    saved_answers.store_files(
        [saved.save(tmp_path / "a.json", saved.answer("batches", [saved.batch(7, inside)]))]
    )
    exported = run("batch", "export", 7).stdout_bytes
    assert not [cell for row in parsed(exported) for cell in row if runs(cell)]
    Coupon.delete().execute()
    rows = [dict(zip(parsed(exported)[0], row, strict=True)) for row in parsed(exported)[1:]]
    names = ("code", "type", "value", "coupon_type", "clients", "notes")
    path = tmp_path / "again.csv"
    path.write_bytes(csv_bytes([names, *([row[name] for name in names] for row in rows)]))
    done = json.loads(run("coupon", "import", path, "--json").stdout)
    assert done["problems"] == []
    assert {each.code: each.terms.notes for each in Coupon.select()} == codes


@pytest.mark.without_store
def test_a_sheet_is_read_with_one_guard_off_each_cell() -> None:
    tried = ODD + texts(2000)
    data = csv_bytes([["code", "a", "b"], *(["C", *map(escape_formula, (t, t))] for t in tried)])
    sheet = Sheet(io.StringIO(data.decode(), newline=""), Layout(("code", "a", "b")))
    assert [record.cells for record in sheet.records()] == [["C", text, text] for text in tried]


def test_a_partner_gets_no_formula_in_a_csv(client: FlaskClient) -> None:
    campaigns.add(Owner(), "summer-promo", "Summer")
    _, secret = secrets.add(Owner())
    head = {"X-API-Secret": secret}

    def data(path: str, **body: Any) -> Any:
        answer = client.post(f"/v1/campaigns{path}", json=body, headers=head)
        assert answer.status_code == 200, answer.data
        return answer.json["data"]

    codes = ["=1+1", "'=1", "-A;=B", "@SUM", "+1"]
    batch = data("/codes/import", slug="summer-promo", pointsValue=1, codes=codes)["batch"]["id"]
    users = ["=cmd|'/C calc'!A0", "'=1", WIDE, "a;=1", "\u200b@x"]
    for code, user in zip(codes, users, strict=True):
        data("/summer-promo/redeem", userId=user, code=code)
    answer = client.get(
        "/v1/campaigns/codes/export",
        query_string={"slug": "summer-promo", "batchId": batch},
        headers=head,
    )
    header, *rows = parsed(answer.data)
    assert not [cell for row in rows for cell in row if runs(cell)]
    at = header.index("redeemedBy")
    assert [unescape_formula(row[at]) for row in rows] == users
    for row in rows:
        assert unescape_formula(row[0]) in {each["code"] for each in listed(client, head)}


def listed(client: FlaskClient, head: dict[str, str]) -> Iterator[Any]:
    """Yield the codes of the campaign as JSON."""
    query = {"slug": "summer-promo", "limit": 100}
    yield from client.get("/v1/campaigns/codes", query_string=query, headers=head).json["data"][
        "codes"
    ]


@pytest.mark.without_store
def test_nothing_writes_csv_beside_the_one_guard() -> None:
    folder = Path(app.__file__).parent.parent
    sources = {
        path.relative_to(folder).as_posix(): path.read_text()
        for package in ("app", "calls", "models")
        for path in (folder / package).rglob("*.py")
    }
    writers = {
        name for name, text in sources.items() if "csv.writer" in text or "DictWriter" in text
    }
    assert writers == {"app/exchange/csv_cells.py"}
    callers = {name for name, text in sources.items() if "csv_bytes(" in text} - writers
    assert callers == {
        "app/cli/csv_output.py",
        "app/exchange/csv_export.py",
        "app/rest/csv_responses.py",
        "app/ui/csv_download.py",
    }
    assert all("escape_formula(" in sources[name] for name in callers)
    readers = {name for name, text in sources.items() if "csv.reader" in text}
    assert readers == {"app/exchange/csv_sheets.py"}
