"""Raw bytes in query strings are read as PHP pages read them: by gunicorn, as we set it up."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote_from_bytes

import pytest

from tests.concurrency.clients import bound_store
from tests.credentials import QUERY
from tests.serving import Server, served

TEXTS = [
    "Größe".encode(),
    "Größe".encode("latin-1"),
    "10€".encode(),
    b'"<>\\^`{|}',
]
ADD = f"{QUERY}&call=addPromoCode&coupon_type=cart&type=percent&value=5"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("served")
    with bound_store(folder), served(folder) as running:
        yield running


@pytest.mark.parametrize("text", TEXTS)
def test_raw_bytes_are_read_like_those_that_are_quoted(server: Server, text: bytes) -> None:
    query = f"{QUERY}&call="
    raw = server.get(query + text.decode("latin-1"))
    quoted = server.get(query + quote_from_bytes(text))
    assert raw.status == quoted.status == 200
    assert raw.value | {"server_time": 0} == quoted.value | {"server_time": 0}


def test_raw_utf8_is_stored_as_it_was_meant(server: Server) -> None:
    notes = "Größe “ż” €"
    raw = notes.replace(" ", "+").encode().decode("latin-1")
    assert server.get(f"{ADD}&code=RAW&notes={raw}").value["success"]
    stored = server.get(f"{QUERY}&call=getPromoDetailsByCode&code=RAW").value["coupon"]
    assert stored["notes"] == notes


@pytest.mark.parametrize(
    "target", ["/api.php?code=a\x01b", "/api.php?code=a\x7fb", "/\xc3\xb6?a=1"]
)
def test_control_characters_and_raw_paths_are_refused(server: Server, target: str) -> None:
    assert server.send(f"GET {target} HTTP/1.1\r\n\r\n".encode("latin-1")).status == 400


@pytest.mark.parametrize(("length", "status"), [(8_000, 200), (9_000, 414)])
def test_a_request_line_has_its_limit(server: Server, length: int, status: int) -> None:
    assert server.get(f"{QUERY}&call=getHostBillversion&x=".ljust(length, "a")).status == status
