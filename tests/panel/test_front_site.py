"""The nginx site in front of promobridge in front of a panel, as deploy/ has it."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import Settings
from models.access import accesses
from models.access.accesses import Pair
from tests.nginx_site import SITE, Site, fronted
from tests.panel.php_panel import PhpPanel
from tests.serving import served
from tests.waiting import wait_until

URL = "/admin/api.php"
LINES = SITE.with_name("promobridge-panel.conf")


def for_a_panel(text: str) -> str:
    """Return the site with its line for a panel."""
    mark = "# include promobridge-panel.conf;"
    assert text.count(mark) == 1
    return text.replace(mark, f"include {LINES};")


@pytest.fixture
def site(store: Settings, tmp_path: Path, panel: PhpPanel) -> Iterator[Site]:
    """Return the site; the pair is for 127.0.0.2 alone."""
    accesses.add("tests", Pair(panel.api_id, panel.api_key), "127.0.0.2")
    with (
        served(
            tmp_path,
            command=("serve", "--workers", "1"),
            PROMOBRIDGE_PANEL_URL=panel.url,
            PROMOBRIDGE_PANEL_CA=str(panel.ca),
            PROMOBRIDGE_PROXY_COUNT="1",
        ) as server,
        fronted(tmp_path, server, for_a_panel) as made,
    ):
        yield made


def query(panel: PhpPanel, call: str) -> str:
    return f"{URL}?api_id={panel.api_id}&api_key={panel.api_key}&call={call}"


def test_the_panel_hears_of_the_client(site: Site, panel: PhpPanel) -> None:
    answer = site.ask(query(panel, "getClients"), source="127.0.0.2", X_Forwarded_For="203.0.113.9")
    assert json.loads(answer.content)["success"] is True
    (entry,) = panel.journal()
    names = {name.lower(): value for name, value in entry.headers.items()}
    assert names["x-forwarded-for"] == "127.0.0.2"
    refused = site.ask(query(panel, "getClients"), source="127.0.0.3")
    assert json.loads(refused.content)["success"] is False
    assert len(panel.journal()) == 1


def test_an_upload_and_an_answer_of_some_size_come_through(site: Site, panel: PhpPanel) -> None:
    content = bytes(range(256)) * 20_000
    body = (
        b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        + content
        + b"\r\n--B--\r\n"
    )
    kind = "multipart/form-data; boundary=B"
    sent = site.ask(query(panel, "uploadFile"), body, "127.0.0.2", Content_Type=kind)
    assert json.loads(sent.content)["success"] is True
    (entry,) = panel.journal()
    assert [each["sha256"] for each in entry.files] == [hashlib.sha256(content).hexdigest()]
    large = site.ask(query(panel, "getBackup") + "&megabytes=8", source="127.0.0.2")
    assert len(large.content) == 8 << 20


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_call_whose_worker_is_killed_is_not_sent_again(
    site: Site, panel: PhpPanel, method: str
) -> None:
    (worker,) = site.server.workers
    answers = []

    def ask() -> None:
        body = b"x=1" if method == "POST" else None
        answers.append(site.ask(query(panel, "getClients"), body, "127.0.0.2"))

    with panel.fault("delay", "getClients", seconds=3):
        # nginx has a connection of this call, and takes one that breaks off for a stale one.
        site.ask(query(panel, "getInvoices"), source="127.0.0.2")
        client = threading.Thread(target=ask)
        client.start()
        wait_until(lambda: panel.journal("getClients"))
        os.kill(worker, signal.SIGKILL)
        client.join()
    (answer,) = answers
    assert answer.status == 503
    assert "it is not known whether" in json.loads(answer.content)["error"][0]
    assert answer.headers["Retry-After"] is None
    wait_until(lambda: panel.journal("getClients")[0].success is not None)
    assert len(panel.journal("getClients")) == 1
