"""Raw bytes in query strings are read as PHP pages read them: by gunicorn as it is set up here."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote_from_bytes

import pytest

from tests.concurrency.clients import bound_store
from tests.credentials import QUERY
from tests.serving import Server, request_bytes, served

TEXTS = ["Größe".encode(), "10€".encode(), b"\\^`{|}"]
MORE = ["Größe".encode("latin-1"), b'"<>']
"""What granian does not take."""
ADD = f"{QUERY}&call=addPromoCode&coupon_type=cart&type=percent&value=5"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, web_server: str) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("served")
    with bound_store(folder), served(folder, web_server=web_server) as running:
        yield running


@pytest.mark.parametrize("text", TEXTS + MORE)
def test_raw_bytes_are_read_like_those_that_are_quoted(
    server: Server, web_server: str, text: bytes
) -> None:
    query = f"{QUERY}&call="
    raw = server.get(query + text.decode("latin-1"))
    if text in MORE and web_server == "granian":
        assert raw.status == 400
        return
    quoted = server.get(query + quote_from_bytes(text))
    assert raw.status == quoted.status == 200
    assert raw.value | {"server_time": 0} == quoted.value | {"server_time": 0}


def test_raw_utf8_is_stored_as_it_was_meant(server: Server) -> None:
    notes = "Größe “ż” €"
    raw = notes.replace(" ", "+").encode().decode("latin-1")
    assert server.get(f"{ADD}&code=RAW&notes={raw}").value["success"]
    stored = server.get(f"{QUERY}&call=getPromoDetailsByCode&code=RAW").value["coupon"]
    assert stored["notes"] == notes


@pytest.mark.parametrize("character", ["\x00", "\x01", "\x7f", " ", "\t"])
def test_control_characters_are_refused(server: Server, character: str) -> None:
    assert server.get(f"{QUERY}&call=getHostBillversion&x=a{character}b").status == 400


def test_gunicorn_refuses_raw_paths_and_long_lines(server: Server, web_server: str) -> None:
    refused = web_server == "gunicorn"
    path = server.send(request_bytes("GET", "/\xc3\xb6?a=1"))
    assert path.status == (400 if refused else 404)
    for length, status in ((8_000, 200), (9_000, 414 if refused else 200)):
        query = f"{QUERY}&call=getHostBillversion&x=".ljust(length, "a")
        assert server.get(query).status == status
