"""Whatever a client sends gets a message, and nothing of it is half done, on any server."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from app.config import Settings
from models.access.usage import ApiUsage
from tests import stores
from tests.concurrency.clients import bound_store
from tests.credentials import QUERY
from tests.serving import Reply, Server, reply, request_bytes, served

VERSION = f"{QUERY}&call=getHostBillversion"
FORM = "application/x-www-form-urlencoded"
BOUNDARY = "multipart/form-data; boundary=cut"
MANY = 10_000
BODY_LIMIT = Settings().body_limit_bytes


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, web_server: str) -> Iterator[Server]:
    """Serve one store to all tests of this module: none of them may change it."""
    folder = tmp_path_factory.mktemp("served")
    with bound_store(folder):
        with served(folder, web_server=web_server) as running:
            yield running
            assert running.get(VERSION).value["success"]
            assert "Traceback" not in running.log()
            assert " failed: " not in running.log()
        unchanged(running)  # also by what was answered after its sender had gone
        done = ApiUsage.select().where(ApiUsage.message == "", ApiUsage.call == "addPromoCode")
        assert done.count() == 0


def unchanged(server: Server) -> None:
    """Hold that nothing was written."""
    with stores.session(stores.url(server.log_file.parent)) as store:
        assert store.execute_sql("SELECT COUNT(*) FROM coupon").fetchone() == (0,)


@pytest.fixture(autouse=True)
def _unchanged(server: Server) -> Iterator[None]:
    yield
    unchanged(server)


def refused(answer: Reply, message: str) -> None:
    assert answer.status == 200
    assert answer.value["error"][0].startswith(message), answer.value


def add(arguments: str) -> str:
    return f"{QUERY}&call=addPromoCode&coupon_type=cart&type=percent&{arguments}"


QUERIES = [
    (f"{QUERY}&call=getPromoDetailsByCode&code=%zz%4", "The promotion code does not exist"),
    (f"{QUERY}&call=getPromoDetailsByCode&code=%ff%fe", "Wrong parameter: code"),
    (f"{QUERY}&call=getPromoDetailsByCode&code=a%00b", "Wrong parameter: code"),
    (f"{QUERY}&call=getPromoDetailsByCode&code[]=x", "Wrong parameter: code"),
    (f"{QUERY}&call=listPromoCodes&page[]=1", "Wrong parameter: page"),
    (f"{QUERY}&call[]=listPromoCodes", "Wrong parameter"),
    (f"{QUERY}&call=%00", "Called method is not supported"),
    (f"{QUERY}&call=%ff", "Called method is not supported"),
    (QUERY, "Wrong parameter"),
    ("api_id[]=1&api_key[]=2&call=getAPIMethods", "Wrong API ID or API Key"),
    ("api_id=%ff%00&api_key=%00&call=getAPIMethods", "Wrong API ID or API Key"),
    ("", "Wrong API ID or API Key"),
    ("&&&==&=&?&", "Wrong API ID or API Key"),
    (f"{VERSION}&" + "a" + "[x]" * 65 + "=1", "Wrong parameter"),
    *(
        (f"{QUERY}&call=listPromoCodes&page={number}", "Wrong parameter: page")
        for number in ("1e3", "0x10", "%EF%BC%99", "-1", "abc", "1.5", "9" * 400)
    ),
    (add("code=A&value=1e9999"), "Wrong parameter: value"),
    (add("code=A&value=NaN"), "Wrong parameter: value"),
    (add("code=A&value=%EF%BC%99"), "Wrong parameter: value"),
    (add("code=" + "A" * 5_000 + "&value=1"), "Wrong parameter: code"),
    (add("value=1"), "Wrong parameter: code"),
]
IN_BODIES = [
    *QUERIES,
    (f"{QUERY}&call=getPromoDetailsByCode&code=\xff\xfe", "Wrong parameter: code"),
    (f"{QUERY}&call=getPromoDetailsByCode&code=a\0b", "Wrong parameter: code"),
    (f"{QUERY}&call=getPromoDetailsByCode&code=a b", "The promotion code does not exist"),
    (VERSION + "".join(f"&a{n}=1" for n in range(MANY)), "Wrong parameter"),
    (VERSION + "".join(f"&a[]={n}" for n in range(MANY)), "Wrong parameter"),
    (add("code=" + "A" * 100_000 + "&value=1"), "Wrong parameter: code"),
]


@pytest.mark.parametrize(("query", "message"), QUERIES, ids=range(len(QUERIES)))
def test_a_query_gets_a_message(server: Server, query: str, message: str) -> None:
    refused(server.get(query), message)


@pytest.mark.parametrize(("query", "message"), IN_BODIES, ids=range(len(IN_BODIES)))
def test_a_body_gets_the_same_message(server: Server, query: str, message: str) -> None:
    refused(server.post(query.encode("latin-1") or b"&", FORM), message)


PART = b'--cut\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
WHOLE = PART % (b"code", b"CUT") + PART % (b"value", b"100") + b"--cut--\r\n"
BODIES = [
    (WHOLE[: WHOLE.index(b"100") + 2], BOUNDARY),
    (WHOLE[:30], BOUNDARY),
    (WHOLE, "multipart/form-data"),
    (WHOLE, "multipart/form-data; boundary="),
    (WHOLE, "multipart/form-data; boundary=" + "b" * 300),
    (b"\0" * 1000, BOUNDARY),
    (b'{"code":"CUT","value":1', "application/json"),
    (b"[" * 5000, "application/json"),
    (b'["code"]', "application/json"),
    (b'{"code":"\xff","value":1}', "application/json"),
    (b'{"a":' * 65 + b"1" + b"}" * 65, "application/json"),
    (b"\xff\xfe\0", "application/json; charset=utf-16"),
    (b"".join(PART % (b"a%d" % n, b"1") for n in range(MANY)) + b"--cut--\r\n", BOUNDARY),
]


@pytest.mark.parametrize(("body", "content_type"), BODIES, ids=range(len(BODIES)))
def test_a_broken_body_gets_a_message(server: Server, body: bytes, content_type: str) -> None:
    refused(server.post(body, content_type, add("")), "Wrong parameter")


def refused_or_unheard(server: Server, sent: bytes) -> None:
    """Send what its sender ends amid a body: the answer is a refusal, if one comes at all."""
    with suppress(ConnectionError, HTTPException):  # granian drops whoever has closed one side
        refused(server.send(sent, half_close=True), "Wrong parameter")


@pytest.mark.parametrize("missing", [1, 1_000_000])
def test_a_body_that_ends_before_its_length_is_not_taken_for_a_whole_one(
    server: Server, missing: int
) -> None:
    body = f"{add('code=CUT')}&value=10".encode()
    length = f"Content-Length: {len(body) + missing}"
    head = request_bytes("POST", "/admin/api.php", f"Content-Type: {FORM}", length)
    refused_or_unheard(server, head + body)


def test_a_body_whose_sender_leaves_does_nothing(server: Server) -> None:
    body = f"{add('code=CUT')}&value=10".encode()
    length = f"Content-Length: {len(body) + 1}"
    head = request_bytes("POST", "/admin/api.php", f"Content-Type: {FORM}", length)
    with socket.create_connection(server.address) as connection:
        connection.sendall(head + body)
    assert server.get(VERSION).value["success"]


CHUNKED = request_bytes(
    "POST", "/admin/api.php", f"Content-Type: {FORM}", "Transfer-Encoding: chunked"
)


@pytest.mark.parametrize("cut", [b"zz\r\n", b"5\r\nabc", b"3\r\nabcXX", b"0\r\n", b""])
def test_broken_chunks_are_not_taken_for_a_whole_body(
    server: Server, web_server: str, cut: bytes
) -> None:
    body = f"{add('code=CUT')}&value=10".encode()
    sent = CHUNKED + b"%X\r\n%s\r\n" % (len(body), body) + cut
    if web_server == "granian":
        assert server.send(sent).status == 411
    else:
        refused(server.send(sent, half_close=True), "Wrong parameter")


def test_whole_chunks_are_read_where_their_end_is_seen(server: Server, web_server: str) -> None:
    body = VERSION.encode()
    answer = server.send(CHUNKED + b"%X\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    assert answer.status == (411 if web_server == "granian" else 200)
    assert answer.value["success"] is (answer.status == 200)


@pytest.mark.parametrize("size", [20_000_000, BODY_LIMIT + 1])
def test_a_large_body_is_answered_413_and_its_sender_gets_to_read_it(
    server: Server, web_server: str, size: int
) -> None:
    assert_too_large(server, size, chunked=False)
    if web_server == "gunicorn":
        assert_too_large(server, size, chunked=True)


def assert_too_large(server: Server, size: int, *, chunked: bool) -> None:
    connection = HTTPConnection(*server.address, timeout=60)
    body = iter([b"a" * 1_000_000] * (size // 1_000_000) + [b"a" * (size % 1_000_000 or 1)])
    connection.request(
        "POST",
        f"/admin/api.php?{VERSION}",
        body=body,
        headers={"Content-Type": FORM} | ({} if chunked else {"Content-Length": str(size)}),
        encode_chunked=chunked,
    )
    answer = connection.getresponse()
    reply = Reply(answer.status, answer.getheader("Content-Type"), answer.read())
    connection.close()
    assert reply.status == 413
    assert reply.value["error"] == ["Request Entity Too Large"]


def test_a_body_at_the_limit_is_read(server: Server) -> None:
    body = b"notes=".ljust(BODY_LIMIT, b"a")
    assert server.post(body, FORM, VERSION).value["success"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", "/admin/api.php", 405),
        ("DELETE", "/api.php", 405),
        ("BREW", "/api.php", 405),
        ("GET", "/", 404),
        ("GET", "/admin", 404),
        ("GET", "/admin/api.php/", 404),
        ("GET", "//admin//", 404),
        ("GET", "/admin/api.php%00", 404),
        ("GET", "/%ff%fe", 404),
        ("POST", "/admin/../etc/passwd", 404),
    ],
)
def test_other_methods_and_paths_get_the_envelope(
    server: Server, method: str, path: str, status: int
) -> None:
    answer = server.send(request_bytes(method, f"{path}?{VERSION}"))
    assert answer.status == status
    assert answer.value["success"] is False


@pytest.mark.parametrize("path", ["//admin/api.php", "/admin//api.php", "///api.php"])
def test_slashes_that_were_joined_count_as_one(server: Server, path: str) -> None:
    for method in ("GET", "POST"):
        answer = server.send(request_bytes(method, f"{path}?{VERSION}"))
        assert (answer.status, answer.value["success"]) == (200, True)


NO_HTTP = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET /api.php HTTP/9.9\r\n\r\n",
    b"GET /api.php\xff HTTP/1.1\r\n\r\n",
    b"GET /api.php?code=a b HTTP/1.1\r\n\r\n",
    b"GET /api.php?code=a\0b HTTP/1.1\r\n\r\n",
    request_bytes("GET", "/api.php", "No colon here"),
    request_bytes("GET", "/api.php", "Bad name: x"),
    request_bytes("GET", "/api.php", "Content-Length: x"),
    request_bytes("GET", "/api.php", "Content-Length: 1", "Content-Length: 2"),
    request_bytes("GET", "/api.php", "Transfer-Encoding: rot13"),
    request_bytes("GET", "/api.php", *(f"X-{n}: 1" for n in range(200))),
    request_bytes("GET", "/api.php?" + "a" * 100_000),
]


@pytest.mark.parametrize("sent", NO_HTTP, ids=range(len(NO_HTTP)))
def test_what_is_no_http_is_refused_by_the_server_and_no_harm_to_others(
    server: Server, sent: bytes
) -> None:
    assert 400 <= server.send(sent).status < 600
    with closing(HTTPConnection(*server.address, timeout=60)) as kept:
        kept.request("GET", f"/api.php?{VERSION}")
        assert b'"success":true' in kept.getresponse().read()
        assert kept.sock is not None
        kept.sock.sendall(sent)
        assert 400 <= reply(kept.sock).status < 600


@pytest.mark.parametrize("header", ["SCRIPT_NAME: /x", "PATH_INFO: /x", "X-Forwarded-Proto: x"])
def test_no_header_moves_the_application(server: Server, header: str) -> None:
    assert server.get(VERSION, header).value["success"]
    assert server.get(VERSION, header, "X-Forwarded-Ssl: on").value["success"]


def test_silence_and_half_a_request_do_not_hold_the_server(server: Server, tmp_path: Path) -> None:
    quiet = [HTTPConnection(*server.address, timeout=60) for _ in range(20)]
    for connection in quiet:
        connection.connect()
        assert connection.sock is not None
        connection.sock.sendall(b"GET /api.php?api_key=")
        connection.close()
    assert server.get(VERSION).value["success"]
