"""The PHP panel under many clients and kills: its journal has each request that arrived, once."""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.panel.php_client import php_client
from tests.panel.php_panel import PhpPanel
from tests.waiting import wait_until

KEPT = {"code": "KEPT", "coupon_type": "invoice", "type": "percent", "value": "10"}


def test_arguments_come_in_every_style_and_the_journal_has_them(
    panel: PhpPanel, tmp_path: Path
) -> None:
    upload = tmp_path / "odd name.bin"
    upload.write_bytes(bytes(range(256)) * 1000)
    calls = [("uploadFile", {"note": "Zoë", "list[a]": "1", "file": f"@{upload}"})]
    with php_client(tmp_path / "out", panel, calls, times=3) as client:
        answers = client.wait()
    entries = panel.journal("uploadfile")[-3:]
    assert [answer["style"] for answer in answers] == ["multipart", "urlencoded", "get"]
    assert [entry.method for entry in entries] == ["POST", "POST", "GET"]
    digest = hashlib.sha256(upload.read_bytes()).hexdigest()
    assert answers[0]["answer"]["files"][0]["sha256"] == digest
    assert [len(entry.files) for entry in entries] == [1, 0, 0]
    for entry in entries:
        assert entry.arguments["note"] == "Zoë"
        assert entry.arguments["list"] == {"a": "1"}
        assert entry.key_digest == hashlib.sha256(panel.api_key.encode()).hexdigest()
        assert entry.success is True
    body = json.dumps({"page": "1", "call": "ignored by nobody"} | panel.credentials).encode()
    sent = panel.ask("getClients", body=body, content_type="application/json")
    assert sent.value["call"] == "ignored by nobody"
    entry = panel.journal()[-1]
    assert entry.body_digest == hashlib.sha256(body).hexdigest()
    assert (entry.body_size, entry.headers["content-type"]) == (len(body), "application/json")
    assert panel.api_key not in (panel.folder / "journal.jsonl").read_text()


def test_what_clients_send_at_once_is_counted_once_each(panel: PhpPanel) -> None:
    asked = [{"id": invoice, "applycoupon": "SINGLE001"} for invoice in range(800, 840)]
    with ThreadPoolExecutor(8) as pool, panel.held():
        asking = [pool.submit(panel.ask, "applyInvoiceCoupon", each) for each in asked]
        wait_until(lambda: len(panel.journal()) == 8)
        assert not any(each.done() for each in asking)
    applied = [each for each in asking if each.result().value["success"]]
    assert len(applied) == panel.uses("SINGLE001") == 3
    entries = panel.journal("applyInvoiceCoupon")
    assert sorted(int(entry.arguments["id"]) for entry in entries) == list(range(800, 840))
    assert sum(entry.success is True for entry in entries) == 3


def test_a_client_goes_on_while_the_panel_is_killed(panel: PhpPanel, tmp_path: Path) -> None:
    calls = [
        ("addClient", {"firstname": "{n}", "lastname": "L", "email": "e", "password": "p"}),
        ("getClients", {"page": "0"}),
    ]
    with php_client(tmp_path / "out", panel, calls, times=0) as client:
        for _ in range(3):
            seen = len(panel.journal())
            wait_until(lambda seen=seen: len(panel.journal()) > seen + 6)
            panel.kill()
            wait_until(lambda: client.answers()[-1]["error"])
            panel.start()
        wait_until(lambda: client.answers()[-1]["status"] == 200)
    answers = client.answers()
    made = [row["firstname"] for row in panel.rows("client", "lastname = 'L'")]
    arrived = [entry.arguments["firstname"] for entry in panel.journal("addClient")]
    told = [
        each["arguments"]["firstname"]
        for each in answers
        if each["call"] == "addClient" and each["status"] == 200
    ]
    assert len(set(made)) == len(made)
    assert len(set(arrived)) == len(arrived)
    assert set(told) <= set(made) <= set(arrived)
    assert {each["error"] == "" for each in answers} == {True, False}


def test_the_panel_comes_back_with_what_it_had(panel: PhpPanel) -> None:
    assert panel.ask("addPromoCode", KEPT).value["success"]
    panel.kill()
    with pytest.raises(ConnectionRefusedError):
        panel.ask("getClients")
    panel.start()
    assert panel.ask("getPromoDetailsByCode", {"code": "kept"}).value["success"]
    panel.stop("php")
    assert panel.ask("getClients").status == 502
    panel.start()
    assert panel.ask("getClients").value["success"]
    assert len(panel.journal()) == 3
