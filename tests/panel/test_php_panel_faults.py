"""What the PHP panel does wrong when a test says so."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import IncompleteRead, RemoteDisconnected

import pytest

from tests.panel.php_panel import OPTIONS, PhpPanel
from tests.waiting import wait_until

APPLY = {"id": 801, "applycoupon": "SINGLE000"}


def test_a_fault_is_for_a_call_and_its_arguments_and_so_many_times(panel: PhpPanel) -> None:
    panel.fault("fail", "LISTpromocodes", times=2, asked={"page": 1}, error="busy")
    assert panel.ask("listPromoCodes").value["success"]
    assert panel.ask("listPromoBatches", {"page": 1}).value["success"]
    answers = [panel.ask("listPromoCodes", {"page": 1}).value for _ in range(3)]
    assert [each.get("error") for each in answers] == [["busy"], ["busy"], None]


def test_many_at_once_use_up_a_fault_exactly(panel: PhpPanel) -> None:
    panel.fault("fail", times=5)
    with ThreadPoolExecutor(8) as pool:
        with panel.held():
            asked = [pool.submit(panel.ask, "getHostBillversion") for _ in range(40)]
            wait_until(lambda: len(panel.journal()) == 8)
        answers = [each.result().value for each in asked]
    assert sum(not each["success"] for each in answers) == 5


def test_a_fault_ends_with_its_block(panel: PhpPanel) -> None:
    for kind in OPTIONS.keys() - {"drop", "lose", "cut", "trickle"}:
        with panel.fault(kind, "getClients"):
            panel.ask("getClients")
        assert len(panel.ask("getClients").value["clients"]) == 25, kind
    panel.fault("status")
    panel.mend()
    assert panel.ask("getClients").status == 200


@pytest.mark.parametrize(("kind", "uses"), [("lose", 1), ("drop", 0)])
def test_without_an_answer_it_is_carried_out_or_not(panel: PhpPanel, kind: str, uses: int) -> None:
    panel.execute("UPDATE coupon SET num_usage = 0")
    panel.fault(kind, "applyInvoiceCoupon")
    with pytest.raises(RemoteDisconnected):
        panel.ask("applyInvoiceCoupon", APPLY)
    assert panel.uses("SINGLE000") == uses
    assert len(panel.journal("applyInvoiceCoupon")) == 1


def test_an_answer_is_cut_off(panel: PhpPanel) -> None:
    with panel.fault("cut", bytes=30), pytest.raises(IncompleteRead) as cut:
        panel.ask("listPromoBatches")
    assert len(cut.value.partial) == 30
    with panel.fault("cut", bytes=1_500_000), pytest.raises(IncompleteRead) as cut:
        panel.ask("getBackup", {"megabytes": 2})
    assert len(cut.value.partial) == 1_500_000
    assert panel.ask("getHostBillversion").value["success"]


@pytest.mark.parametrize(("kind", "during"), [("delay", 0), ("late", 1)])
def test_a_pause_comes_before_or_after_the_work(panel: PhpPanel, kind: str, during: int) -> None:
    panel.execute("UPDATE coupon SET num_usage = 0")
    panel.fault(kind, "applyInvoiceCoupon", seconds=1)
    with ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        asked = pool.submit(panel.ask, "applyInvoiceCoupon", APPLY)
        wait_until(lambda: panel.journal("applyInvoiceCoupon"))
        if during:
            wait_until(lambda: panel.uses("SINGLE000"))
            assert not asked.done()
        assert asked.result().value["success"]
        assert time.monotonic() - began >= 1
    assert panel.uses("SINGLE000") == 1


def test_an_answer_trickles(panel: PhpPanel) -> None:
    panel.fault("trickle", bytes=30, seconds=0.2)
    began = time.monotonic()
    length = len(panel.ask("getHostBillversion").body)
    assert time.monotonic() - began >= length // 30 * 0.2


def test_other_pages_than_answers(panel: PhpPanel) -> None:
    for kind, options, status in (
        ("html", {}, 200),
        ("status", {"status": 503}, 503),
        ("redirect", {"location": "https://elsewhere.example/"}, 302),
    ):
        with panel.fault(kind, **options):
            answer = panel.ask("applyInvoiceCoupon", APPLY)
        assert (answer.status, answer.headers["Content-Type"]) == (
            status,
            "text/html; charset=UTF-8",
        )
        assert b"Staff login" in answer.body
    assert answer.headers["Location"] == "https://elsewhere.example/"
    assert not [use for use in panel.rows("coupon_use") if use["invoice_id"] == 801]


def test_a_page_is_shorter_than_it_says(panel: PhpPanel) -> None:
    with panel.fault("short", rows=2, asked={"page": 1}):
        pages = [panel.ask("listPromoCodes", {"page": page}).value for page in range(3)]
    assert [len(page["coupons"]) for page in pages] == [25, 23, 10]
    assert {page["sorter"]["sorterrecords"] for page in pages} == {"60"}


@pytest.mark.parametrize(
    ("call", "key", "size"), [("listPromoCodes", "coupons", 25), ("listPromoBatches", "batches", 5)]
)
def test_rows_move_while_they_are_read(panel: PhpPanel, call: str, key: str, size: int) -> None:
    def read() -> list[int]:
        pages = [panel.ask(call, {"page": page}).value[key] for page in range(3)]
        return [int(row["id"]) for page in pages for row in page]

    still = read()
    with panel.fault("mutate", call, times=1, asked={"page": 1}, add=1, remove=0):
        added = read()
    assert added[size] == still[size - 1], "one is read twice"
    assert len(set(added)) == len(still)
    before = read()
    with panel.fault("mutate", call, times=1, asked={"page": 1}, add=0, remove=1):
        removed = read()
    assert set(before) - set(removed) == {before[size]}, "one is missed"
    assert max(read()) < max(before)


def test_a_line_of_the_journal_that_was_cut_off_spoils_no_other(panel: PhpPanel) -> None:
    panel.ask("getClients")
    with (panel.folder / "journal.jsonl").open("a") as journal:
        journal.write('\n{"id":"half of')
    panel.ask("getInvoices")
    assert [entry.call for entry in panel.journal()] == ["getClients", "getInvoices"]
    assert json.loads((panel.folder / "journal.jsonl").read_text().splitlines()[-1])["success"]
