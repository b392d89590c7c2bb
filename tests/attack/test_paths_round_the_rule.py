"""The site's rule of who may come holds for every spelling of a path that is served."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path

import pytest

from tests.concurrency.clients import bound_store
from tests.credentials import QUERY
from tests.nginx_site import HOST, SECONDS, Edit, Site, fronted
from tests.serving import Server, served

CALL = f"{QUERY}&call=getHostBillversion"
KNOWN, STRANGER = "127.0.0.2", "127.0.0.3"
LEGACY = ("/admin/api.php", "/api.php")
REST = (
    "/v1/openapi.json",
    "/v1/campaigns/api.php/redeem",
    "/v1/campaigns/../redeem",
)
OPERATOR = ("/metrics", "/healthz", "/readyz")
NOTHING = (400, 404)
"""The statuses of a path that is none, or where nothing is served."""
REFUSED = {400, 403}
INSERTED = (
    *("/", "//", "%2f", "%2F", "/./", "/x/../", "/../", "%2e%2e%2f", "%5c", "/%2e/", "x"),
    *(";", ";x=1", "%3b", ".", "%2e", "%20", "+", "%00", "%09", "%0a", "%23", "#", "%3f", "%25"),
)
RANDOM_EACH = 50
EXAMPLE = re.compile(r"^    #     allow 203\.0\.113\.0/24;\n    #     deny all;\n", re.MULTILINE)
RULE = f"    allow {KNOWN};\n    deny all;\n"


def spellings(path: str) -> set[str]:
    """Return a path as many may spell it, most of them in vain."""
    found = {path, f"http://{HOST}{path}", _encoded(path, range(len(path)))}
    for at, letter in enumerate(path):
        found |= {_encoded(path, [at]), path[:at] + letter.swapcase() + path[at + 1 :]}
    ends = [at for part in re.finditer(r"[a-z0-9]+", path) for at in part.span()]
    for at in {0, 2, *ends}:
        found |= {path[:at] + each + path[at:] for each in INSERTED}
    chance = random.Random(path)  # noqa: S311  # the same spellings each time
    for _ in range(RANDOM_EACH):
        text = path
        for at in sorted(chance.sample(range(1, len(path)), 2), reverse=True):
            text = text[:at] + chance.choice(["", *INSERTED[:4]]) + text[at:]
        # Not in the middle of what is encoded already: that would be an encoded per cent sign.
        plain = [at for at in range(1, len(text)) if "%" not in text[max(0, at - 2) : at + 1]]
        found.add(_encoded(text, chance.sample(plain, min(3, len(plain)))))
    return {each for each in found if each.startswith(("/", "http"))}


def _encoded(path: str, places: Iterable[int]) -> str:
    return "".join(
        f"%{ord(letter):02{'xX'[at % 2]}}" if at in places else letter
        for at, letter in enumerate(path)
    )


def statuses(connect: Callable[[], HTTPConnection], paths: Iterable[str]) -> dict[str, int]:
    """Return how each path is answered, over connections that are kept."""
    found = {}
    connection = connect()
    for path in sorted(paths):
        target = path if "?" in path else f"{path}?{CALL}"
        for _ in range(2):  # the first try may meet a connection that was just closed
            try:
                connection.putrequest("GET", target, skip_host=True)
                for name, value in (("Host", HOST), ("X-Forwarded-For", KNOWN)):
                    connection.putheader(name, value)
                connection.endheaders()
                with connection.getresponse() as answer:
                    answer.read()
                    found[path] = answer.status
                    closes = answer.will_close
            except (OSError, HTTPException):
                closes = True
            if closes:
                connection.close()
                connection = connect()
            if path in found:
                break
    connection.close()
    return found


def from_address(site: Site, source: str) -> Callable[[], HTTPConnection]:
    """Return what connects through nginx from an address."""

    def connect() -> HTTPConnection:
        connection = HTTPSConnection("127.0.0.1", site.https, timeout=SECONDS)
        connection.sock = site.connected(source)
        return connection

    return connect


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, web_server: str) -> Iterator[Server]:
    """Return each web server in turn, without nginx in front of it."""
    folder = tmp_path_factory.mktemp("server")
    with (
        bound_store(folder),
        served(folder, web_server=web_server, PROMOBRIDGE_PROXY_COUNT="1") as server,
    ):
        yield server


@pytest.fixture(scope="module")
def served_as(server: Server) -> dict[str, set[str]]:
    """Return the spellings of each kind of path that the application itself answers."""

    def connect() -> HTTPConnection:
        return HTTPConnection(*server.address, timeout=SECONDS)

    return {
        kind: {
            path
            for path, status in statuses(connect, _spellings_of(kind)).items()
            if status not in NOTHING
        }
        for kind in ("legacy", "rest", "operator")
    }


def _spellings_of(kind: str) -> set[str]:
    paths = {"legacy": LEGACY, "rest": REST, "operator": OPERATOR}[kind]
    return set().union(*map(spellings, paths))


def example_switched_on(text: str) -> str:
    """Return the site with its example in force."""
    text, times = EXAMPLE.subn(RULE, text)
    assert times == 1
    return text


def rule_in(location: str) -> Edit:
    """Return what writes the rule into a location alone."""

    def edit(text: str) -> str:
        assert text.count(f"location {location} {{\n") == 1
        return text.replace(f"location {location} {{\n", f"location {location} {{\n{RULE}")

    return edit


@pytest.mark.parametrize("kind", ["legacy", "rest"])
def test_no_spelling_of_a_path_goes_round_the_rule(
    server: Server, served_as: dict[str, set[str]], tmp_path: Path, kind: str
) -> None:
    assert len(served_as[kind]) > 40
    with fronted(tmp_path, server, example_switched_on) as site:
        for path in (*LEGACY, REST[0]):
            assert site.ask(f"{path}?{CALL}", source=KNOWN).status not in (403, *NOTHING)
        found = statuses(from_address(site, STRANGER), _spellings_of(kind))
        assert set(found.values()) <= REFUSED
        # What nginx itself takes for no path, such as one with a NUL, is 400 and goes no further.
        assert [path for path in served_as[kind] if found[path] != 403 and "%00" not in path] == []


@pytest.mark.parametrize(
    ("kind", "other", "location"),
    [("legacy", "rest", r"~* api\.php"), ("rest", "legacy", "^~ /v1")],
)
def test_a_rule_for_one_api_alone_holds_for_its_every_spelling(
    server: Server,
    served_as: dict[str, set[str]],
    tmp_path: Path,
    kind: str,
    other: str,
    location: str,
) -> None:
    with fronted(tmp_path, server, rule_in(location)) as site:
        connect = from_address(site, STRANGER)
        found = statuses(connect, served_as[kind])
        assert set(found.values()) <= REFUSED
        assert 403 not in statuses(connect, served_as[other]).values()


def test_no_spelling_opens_what_is_for_the_operator(
    server: Server, served_as: dict[str, set[str]], tmp_path: Path
) -> None:
    assert len(served_as["operator"]) > 20
    with fronted(tmp_path, server) as site:
        found = statuses(from_address(site, STRANGER), _spellings_of("operator"))
        assert set(found.values()) <= set(NOTHING)


def test_who_may_not_come_is_told_so_in_the_envelope(server: Server, tmp_path: Path) -> None:
    with fronted(tmp_path, server, example_switched_on) as site:
        legacy = site.ask(f"/admin/api.php?{CALL}", source=STRANGER)
        rest = site.ask("/v1/campaigns/codes/stats", source=STRANGER)
    for answer in (legacy, rest):
        assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
    envelope = json.loads(legacy.content)
    assert list(envelope) == ["success", "call", "server_time", "error"]
    assert envelope["error"] == ["This IP address is not allowed to use this API ID"]
    envelope = json.loads(rest.content)
    assert (envelope["code"], envelope["status"], envelope["error"]) == (
        *(403, "error"),
        "address_refused",
    )
