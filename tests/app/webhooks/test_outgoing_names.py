"""Whom a request reaches: names are looked up once, and certificates must be of the name."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from app.webhooks.outgoing import Answer, post
from app.webhooks.wire import trust
from tests.app.webhooks.scripted_receiver import (
    Behaviour,
    drips,
    reading_itself,
    receiver,
    says,
    waits_after,
)
from tests.programs import program

pytestmark = pytest.mark.without_store

HERE = [ip_network("127.0.0.1/32")]
SHORT = 0.2
LONG = 10.0
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NAME = "hooks.example"
NO_CERTIFICATE = "its certificate does not hold: "


class Resolver:
    """Stand for the system's resolver: each look-up gets the next list of addresses."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    def getaddrinfo(self, host: str, port: int, **options: object) -> list[tuple[object, ...]]:
        """Answer as socket.getaddrinfo does; what was asked too often fails the test."""
        self.asked.append(host)
        found = self._answers[len(self.asked) - 1].split()
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in found
        ]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Resolver]:
    """Return what makes the addresses that look-ups of this test get, one after the other."""

    def answer(*answers: str) -> Resolver:
        resolver = Resolver(*answers)
        monkeypatch.setattr(socket, "getaddrinfo", resolver.getaddrinfo)
        return resolver

    return answer


def send(port: int, seconds: float = LONG, scheme: str = "https", host: str = NAME) -> Answer:
    return post(f"{scheme}://{host}:{port}/hook", {}, b"{}", HERE, seconds)


def openssl(*words: object) -> None:
    subprocess.run([program("openssl"), *map(str, words)], check=True, capture_output=True)


def certified(folder: Path, name: str, names: str, days: int = 2) -> ssl.SSLContext:
    """Return what serves with a certificate for names, which is its own authority."""
    key, file = folder / f"{name}.key", folder / f"{name}.pem"
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    subject = ("-subj", f"/CN={name}", "-addext", f"subjectAltName={names}")
    openssl("req", "-x509", *curve, *subject, "-keyout", key, "-out", file)
    openssl("x509", "-in", file, "-signkey", key, "-days", days, "-out", file)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file, key)
    return context


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, ssl.SSLContext]]:
    """Yield servers' certificates by what is wrong with them; all but one are of authorities."""
    folder = tmp_path_factory.mktemp("certificates")
    made = {
        "nothing": certified(folder, "nothing", f"DNS:{NAME},IP:127.0.0.1"),
        "Hostname mismatch": certified(folder, "name", "DNS:other.example"),
        "expired": certified(folder, "expired", f"DNS:{NAME}", days=-1),
    }
    trusted = folder / "trusted"
    trusted.write_text("".join(file.read_text() for file in folder.glob("*.pem")))
    made["self"] = certified(folder, "unknown", f"DNS:{NAME}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(trusted))
        trust.cache_clear()
        yield made
    trust.cache_clear()


def test_the_name_is_in_the_host_header_and_the_certificate(
    names: Callable[..., Resolver], certificates: dict[str, ssl.SSLContext]
) -> None:
    named = []
    certificates["nothing"].sni_callback = lambda _, name, context: named.append(name)
    resolver = names("127.0.0.1")
    with receiver(says(OK), certificates["nothing"]) as running:
        answer = send(running.port, host="HOOKS.example.")
    assert (answer.status, answer.problem) == (200, "")
    assert f"\r\nHost: {NAME}:{running.port}\r\n".encode() in running.requests[0]
    assert (named, resolver.asked) == ([NAME], [NAME])


def test_an_address_can_have_a_certificate(certificates: dict[str, ssl.SSLContext]) -> None:
    with receiver(says(OK), certificates["nothing"]) as running:
        assert send(running.port, host="127.0.0.1").status == 200


@pytest.mark.parametrize("wrong", ["Hostname mismatch", "expired", "self"])
def test_nothing_is_sent_where_the_certificate_does_not_hold(
    wrong: str, names: Callable[..., Resolver], certificates: dict[str, ssl.SSLContext]
) -> None:
    names("127.0.0.1")
    with receiver(says(OK), certificates[wrong]) as running:
        answer = send(running.port)
    assert answer.status is None
    assert answer.problem.startswith(NO_CERTIFICATE)
    assert wrong in answer.problem
    assert (running.connections, running.requests) == (1, [])


@pytest.mark.parametrize(
    "behave",
    [
        waits_after(b""),
        # A handshake record of 16 KB that never comes to its end.
        drips(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03", b"a"),
    ],
)
def test_a_handshake_has_the_same_deadline(behave: Behaviour) -> None:
    with receiver(reading_itself(behave)) as running:
        answer = send(running.port, SHORT, host="127.0.0.1")
    assert (answer.status, answer.problem) == (None, f"no answer within {SHORT} s")
    assert SHORT <= answer.seconds < LONG


def test_plain_http_at_an_https_url_is_no_answer() -> None:
    with receiver(reading_itself(waits_after(b"HTTP/1.1 200 OK\r\n\r\n"))) as running:
        answer = send(running.port, host="127.0.0.1")
    assert (answer.status, answer.problem) == (None, "TLS with it failed")


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nA: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_an_encrypted_answer_has_the_same_deadline(
    head: bytes, certificates: dict[str, ssl.SSLContext]
) -> None:
    with receiver(drips(head, b"a"), certificates["nothing"]) as running:
        answer = send(running.port, SHORT, host="127.0.0.1")
    assert answer.problem == f"no answer within {SHORT} s"
    assert SHORT <= answer.seconds < LONG


def test_this_machine_is_refused_by_its_name_unless_it_is_allowed() -> None:
    with receiver(says(OK)) as running:
        url = f"https://localhost:{running.port}/"
        answer = post(url, {}, b"{}", [], LONG)
    assert answer.problem == "its address is not public"
    assert running.connections == 0


@pytest.mark.parametrize(
    ("addresses", "refused"),
    [
        ("127.0.0.2", "127.0.0.2"),
        ("10.0.0.7", "10.0.0.7"),
        ("127.0.0.1 169.254.169.254", "169.254.169.254"),
        ("169.254.169.254 127.0.0.1", "169.254.169.254"),
        ("127.0.0.1 ::1", "::1"),
        ("::ffff:127.0.0.1", "::ffff:7f00:1"),
        ("64:ff9b::7f00:2", "64:ff9b::7f00:2"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_one_refused_address_of_a_name_is_enough(
    scheme: str, addresses: str, refused: str, names: Callable[..., Resolver]
) -> None:
    names(addresses)
    with (
        receiver(says(OK)) as running,
        receiver(says(OK), None, "127.0.0.2", running.port) as other,
    ):
        answer = send(running.port, scheme=scheme)
    assert (answer.status, answer.problem) == (None, "its address is not public")
    assert (running.connections, other.connections) == (0, 0)


def test_plain_http_is_for_allowed_addresses_alone(names: Callable[..., Resolver]) -> None:
    names("127.0.0.1 8.8.8.8")
    with receiver(says(OK)) as running:
        answer = send(running.port, scheme="http")
    assert answer.problem == "http:// is not allowed to its address, only https://"
    assert running.connections == 0


def test_the_first_address_of_a_name_is_connected(names: Callable[..., Resolver]) -> None:
    names("127.0.0.1 127.0.0.2", "127.0.0.2 127.0.0.1")
    allowed = [ip_network("127.0.0.0/8")]
    with receiver(says(OK)) as first, receiver(says(OK), None, "127.0.0.2", first.port) as second:
        for count in ((1, 0), (1, 1)):
            assert post(f"http://{NAME}:{first.port}/", {}, b"{}", allowed).status == 200
            assert (first.connections, second.connections) == count


def test_a_name_that_changes_is_looked_up_once(names: Callable[..., Resolver]) -> None:
    resolver = names("127.0.0.1", "127.0.0.2")
    with receiver(says(OK)) as first, receiver(says(OK), None, "127.0.0.2", first.port) as second:
        assert send(first.port, scheme="http").status == 200
        assert (first.connections, second.connections) == (1, 0)
        assert resolver.asked == [NAME]
        assert send(first.port, scheme="http").problem == "its address is not public"
        assert (first.connections, second.connections) == (1, 0)


def test_a_look_up_has_the_same_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        goes_on.wait(LONG)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    answer = send(1, SHORT)
    goes_on.set()
    assert answer.problem == f"no answer within {SHORT} s"
    assert SHORT <= answer.seconds < LONG


def test_a_process_ends_though_a_look_up_hangs() -> None:
    script = (
        "import socket, time\n"
        "socket.getaddrinfo = lambda *_, **__: time.sleep(600)\n"
        "from app.webhooks.outgoing import post\n"
        "print(post('https://hooks.example/', {}, b'', [], 0.1).problem)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout == "no answer within 0.1 s\n"


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("Bücher.example", "xn--bcher-kva.example"),
        ("hooks。example.", NAME),
        ("a_b.test", "a_b.test"),
    ],
)
def test_a_name_is_looked_up_in_ascii(
    host: str, asked: str, names: Callable[..., Resolver]
) -> None:
    resolver = names("")
    assert send(443, host=host).problem == "its name was not found"
    assert resolver.asked == [asked]


def test_a_url_that_is_refused_is_not_looked_up(names: Callable[..., Resolver]) -> None:
    resolver = names()
    assert send(443, host="user:secret@hooks.example").problem == (
        "it must have no user, no password and no fragment"
    )
    assert resolver.asked == []
