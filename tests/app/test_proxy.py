"""The client's address behind reverse proxies: as many as are trusted, and no header moves it."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import create_app
from app.config import Settings
from models.access import accesses
from tests.app.ui.people import Person
from tests.credentials import PAIR, QUERY
from tests.serving import served

FORWARDED = [
    # proxies, header as it arrives, address of the client
    (0, "203.0.113.7", "192.0.2.1"),
    (1, "203.0.113.7", "203.0.113.7"),
    (1, "198.51.100.9, 203.0.113.7", "203.0.113.7"),
    (1, None, "192.0.2.1"),
    (2, "198.51.100.9, 203.0.113.7, 192.0.2.8", "203.0.113.7"),
    (2, "203.0.113.7", "203.0.113.7"),
    (2, " 2001:db8::7 ,192.0.2.8", "2001:db8::7"),
]


@pytest.mark.parametrize(("proxies", "header", "address"), FORWARDED)
def test_only_trusted_proxies_name_the_client(
    store: Settings, proxies: int, header: str | None, address: str
) -> None:
    accesses.add("tests", PAIR, ip_rule=address)
    answer = ask_through(store, proxies, header)
    assert answer["success"] is True


@pytest.mark.parametrize("header", ['"', '", 203.0.113.7', "x", "", ",", '"192.0.2.1", x'])
@pytest.mark.parametrize("proxies", [1, 2])
def test_no_header_makes_a_client_the_proxy_itself(
    store: Settings, proxies: int, header: str
) -> None:
    accesses.add("tests", PAIR, ip_rule="192.0.2.1")
    written = f"{header}, 203.0.113.7" + ", 192.0.2.8" * (proxies - 1)
    answer = ask_through(store, proxies, written)
    assert answer["error"] == ["This IP address is not allowed to use this API ID"]


@pytest.mark.parametrize(
    ("proxies", "said", "scheme"),
    [(0, "https", "http"), (1, "https", "https"), (1, "gopher", "http"), (1, "", "http")],
)
def test_only_a_trusted_proxy_says_the_scheme(
    store: Settings, proxies: int, said: str, scheme: str
) -> None:
    app = create_app(Settings(database_url=store.database_url, proxy_count=proxies))
    person = Person(app, "viewer")
    page = person.get("/ui/api", headers={"X-Forwarded-Proto": said})
    app.config["USAGE_LOG"].close()
    assert f"<code>{scheme}://localhost/v1</code>" in page.text


def test_header_lines_of_two_proxies_count_as_one_list(store: Settings, tmp_path: Path) -> None:
    accesses.add("tests", PAIR, ip_rule="203.0.113.7")
    lines = "X-Forwarded-For: 198.51.100.9", "X-Forwarded-For: 203.0.113.7, 192.0.2.8"
    with served(tmp_path, PROMOBRIDGE_PROXY_COUNT="2") as server:
        query = f"{QUERY}&call=getHostBillversion"
        assert server.get(query, *lines).value["success"]
        assert not server.get(query, "X_Forwarded_For: 203.0.113.7").value["success"]
        assert not server.get(query).value["success"]
    assert "] 203.0.113.7 " in server.log()  # the line follows the answer, so it is there by now


def test_a_header_of_raw_bytes_does_not_make_a_client_the_proxy(
    store: Settings, tmp_path: Path, web_server: str
) -> None:
    accesses.add("tests", PAIR, ip_rule="127.0.0.1")
    with served(tmp_path, web_server=web_server, PROMOBRIDGE_PROXY_COUNT="1") as server:
        line = "X-Forwarded-For: \xe9, 203.0.113.7"
        refused = server.get(f"{QUERY}&call=getHostBillversion", line)
        assert refused.value["error"] == ["This IP address is not allowed to use this API ID"]
        assert server.get("", line, path="/metrics").status == 403


def ask_through(store: Settings, proxies: int, header: str | None) -> dict[str, object]:
    """Ask from the proxy 192.0.2.1 with the header it writes."""
    app = create_app(Settings(database_url=store.database_url, proxy_count=proxies))
    answer = app.test_client().get(
        f"/admin/api.php?{QUERY}&call=getHostBillversion",
        headers=[] if header is None else [("X-Forwarded-For", header)],
        environ_overrides={"REMOTE_ADDR": "192.0.2.1"},
    )
    app.config["USAGE_LOG"].close()
    assert answer.json is not None
    return dict(answer.json)
