"""Calls of our own to the panel: the pair that they are made with, and what is no answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.config import BadSetting, Settings
from app.panel.client import Panel as Client
from app.panel.client import own_pair
from app.panel.problem import PanelProblem
from tests.panel.fronts import stub
from tests.panel.php_panel import PhpPanel


def pair_file(folder: Path, text: str, mode: int = 0o600) -> str:
    path = folder / "pair"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_it_is_asked_with_our_own_pair(panel: PhpPanel, tmp_path: Path) -> None:
    path = pair_file(tmp_path, f"{panel.api_id}\n{panel.api_key}\n")
    client = Client(
        Settings(panel_url=panel.url, panel_ca=str(panel.ca), panel_credentials_file=path)
    )
    answer = client.ask("getClients", {"page": 0, "x[]": ["1", "2"]})
    assert answer["success"] is True
    (entry,) = panel.journal()
    assert (entry.method, entry.call) == ("POST", "getClients")
    assert entry.arguments["x"] == ["1", "2"]
    with panel.fault("html"), pytest.raises(PanelProblem, match="no JSON") as refused:
        client.ask("getClients", {})
    assert refused.value.sent


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("abcd\nefgh\n", 0o644, "others may read that file; chmod 600 it"),
        ("abcd\nefgh\n", 0o640, "others may read that file"),
        ("abcd\n", 0o600, "must hold an id and a key, on two lines"),
        ("a\nb\nc\n", 0o600, "must hold an id and a key, on two lines"),
        ("", 0o600, "must hold an id and a key, on two lines"),
        ("é\nefgh", 0o600, "must hold an id and a key, on two lines"),
    ],
)
def test_a_pair_that_is_none_is_refused(tmp_path: Path, text: str, mode: int, said: str) -> None:
    settings = Settings(panel_credentials_file=pair_file(tmp_path, text, mode))
    with pytest.raises(BadSetting, match="PROMOBRIDGE_PANEL_CREDENTIALS_FILE") as refused:
        own_pair(settings)
    assert said in str(refused.value)
    assert "efgh" not in str(refused.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    for path in ("", str(tmp_path / "none"), str(tmp_path)):
        with pytest.raises(BadSetting, match="PROMOBRIDGE_PANEL_CREDENTIALS_FILE"):
            own_pair(Settings(panel_credentials_file=path))


@pytest.mark.parametrize(
    "body", [b"[]", b"1", b"{", b"\xff", b"<html>", b"[" * 100_000, b"1" * 5000 + b"."]
)
def test_what_is_no_object_is_no_answer(tmp_path: Path, body: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
    path = pair_file(tmp_path, "abcd\nefgh\n")
    with stub(head + body) as place:
        client = Client(Settings(panel_url=place.url, panel_credentials_file=path))
        with pytest.raises(PanelProblem, match="no JSON"):
            client.ask("getClients", {})


def test_an_answer_without_end_is_refused(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    settings = Settings(panel_credentials_file=pair_file(tmp_path, "abcd\nefgh\n"))
    with stub(head + b" " * 17_000_000) as place:
        client = Client(replace(settings, panel_url=place.url))
        with pytest.raises(PanelProblem, match="larger than 16,777,216 bytes"):
            client.ask("getClients", {})


@pytest.mark.parametrize("ca", ["/nowhere", __file__])
def test_authorities_that_are_none_are_refused(ca: str) -> None:
    with pytest.raises(BadSetting, match="PROMOBRIDGE_PANEL_CA must be a file of PEM"):
        Client(Settings(panel_url="https://panel.example/", panel_ca=ca))
