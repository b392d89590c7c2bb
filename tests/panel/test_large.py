"""Uploads and answers of 100 MB go through in flat memory, and whole."""

from __future__ import annotations

import hashlib
import http.client
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.config import Settings
from models.access import accesses
from models.access.accesses import Pair
from tests.panel.php_panel import PhpPanel, backup_bytes
from tests.serving import Server, served

MEGABYTE = 1 << 20
MOST_GROWTH = 16 * MEGABYTE
"""Bytes that a worker's memory may grow by; one copy of what goes through would be 100 MB."""
SECONDS = 120


@pytest.fixture
def server(store: Settings, tmp_path: Path, panel: PhpPanel) -> Iterator[Server]:
    """Return one worker in front of the panel."""
    accesses.add("tests", Pair(panel.api_id, panel.api_key))
    with served(
        tmp_path,
        command=("serve", "--workers", "1"),
        PROMOBRIDGE_PANEL_URL=panel.url,
        PROMOBRIDGE_PANEL_CA=str(panel.ca),
    ) as running:
        yield running


def peak(server: Server) -> int:
    """Return the most memory that the worker has had, in bytes."""
    (worker,) = server.workers
    lines = Path(f"/proc/{worker}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024


def pieces(megabytes: int) -> Iterator[bytes]:
    for number in range(megabytes):
        yield number.to_bytes(4, "big") * (MEGABYTE // 4)


def upload(server: Server, panel: PhpPanel, megabytes: int, chunked: bool) -> None:
    """Send a form with a file of so many MiB and see that it arrives whole."""
    fields = panel.credentials | {"call": "uploadFile"}
    head = "".join(
        f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    head += '--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    end = b"\r\n--B--\r\n"
    digest = hashlib.sha256()

    def body() -> Iterator[bytes]:
        yield head.encode()
        for piece in pieces(megabytes):
            digest.update(piece)
            yield piece
        yield end

    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    if not chunked:
        headers["Content-Length"] = str(len(head) + megabytes * MEGABYTE + len(end))
    with closing(http.client.HTTPConnection(*server.address, timeout=SECONDS)) as client:
        client.request("POST", "/admin/api.php", body(), headers, encode_chunked=chunked)
        with client.getresponse() as answer:
            assert answer.status == 200
            assert b'"success":true' in answer.read()
    (file,) = panel.journal("uploadFile")[-1].files
    assert file["sha256"] == digest.hexdigest()


def download(server: Server, panel: PhpPanel, megabytes: int, length: int) -> None:
    """Ask for an answer of so many MiB and see that it comes whole."""
    pair = f"api_id={panel.api_id}&api_key={panel.api_key}"
    target = f"/admin/api.php?{pair}&call=getBackup&megabytes={megabytes}&length={length}"
    with closing(http.client.HTTPConnection(*server.address, timeout=SECONDS)) as client:
        client.request("GET", target)
        with client.getresponse() as answer:
            assert answer.status == 200
            assert (answer.getheader("Content-Length") is not None) == bool(length)
            for block in backup_bytes(megabytes):
                assert answer.read(len(block)) == block
            assert answer.read() == b""


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upload_takes_no_memory(server: Server, panel: PhpPanel, chunked: bool) -> None:
    upload(server, panel, 3, chunked)
    before = peak(server)
    upload(server, panel, 100, chunked)
    assert peak(server) - before < MOST_GROWTH


@pytest.mark.parametrize("length", [0, 1])
def test_an_answer_takes_no_memory(server: Server, panel: PhpPanel, length: int) -> None:
    download(server, panel, 3, length)
    before = peak(server)
    download(server, panel, 100, length)
    assert peak(server) - before < MOST_GROWTH
