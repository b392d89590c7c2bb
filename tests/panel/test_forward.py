"""Calls that are not ours go to the panel as they came, once, and its answers come back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import calls
from app.config import Settings
from models.access import accesses
from tests.credentials import CREDENTIALS, PAIR, QUERY
from tests.panel.fronts import Stub, in_front, stub
from tests.panel.php_panel import PhpPanel

URL = "/admin/api.php"
FORM = "application/x-www-form-urlencoded"
NOT_KNOWN = "it is not known whether the call was carried out"
NOT_SENT = "the call was not sent"


@pytest.fixture
def front(store: Settings, panel: PhpPanel) -> Iterator[Flask]:
    """Return the application in front of the panel."""
    with in_front(store, panel) as made:
        yield made


@pytest.fixture
def place() -> Iterator[Stub]:
    """Return what keeps the bytes that a panel would get."""
    with stub() as running:
        yield running


@pytest.fixture
def client(store: Settings, place: Stub) -> Iterator[FlaskClient]:
    """Return a client of the application in front of it, which knows PAIR."""
    accesses.add("tests", PAIR)
    with in_front(store, panel_url=place.url) as made:
        yield made.test_client()


def error(answer: TestResponse) -> str:
    """Return the one sentence of a refusal."""
    value = answer.get_json()
    assert value["success"] is False
    (sentence,) = value["error"]
    return str(sentence)


def multipart(fields: dict[str, str], content: bytes) -> tuple[bytes, str]:
    """Return a form with a file, and its content type."""
    head = 'Content-Disposition: form-data; name="%s"'
    parts = [f"--B\r\n{head % name}\r\n\r\n{value}\r\n" for name, value in fields.items()]
    parts.append(f'--B\r\n{head % "file"}; filename="a.bin"\r\n\r\n')
    return "".join(parts).encode() + content + b"\r\n--B--\r\n", "multipart/form-data; boundary=B"


def test_a_call_that_is_not_ours_is_answered_by_the_panel(front: Flask, panel: PhpPanel) -> None:
    asked = front.test_client()
    ways: list[dict[str, Any]] = [
        {"method": "GET", "query_string": panel.credentials | {"call": "getClients"}},
        {"method": "POST", "data": panel.credentials | {"call": "getClients"}},
        {"method": "POST", "json": panel.credentials | {"call": "getClients"}},
        {
            "method": "POST",
            "data": panel.credentials | {"call": "getClients"},
            "content_type": "multipart/form-data",
        },
        {"method": "POST", "query_string": panel.credentials, "data": {"call": "getClients"}},
    ]
    for way in ways:
        answer = asked.open(URL, **way)
        assert answer.status_code == 200
        assert answer.content_type == "application/json; charset=UTF-8"
        assert answer.get_json()["success"] is True, way
        assert len(answer.get_json()["clients"]) > 10
    entries = panel.journal("getClients")
    assert [each.method for each in entries] == ["GET", "POST", "POST", "POST", "POST"]


def test_the_panels_own_rules_hold(front: Flask, panel: PhpPanel) -> None:
    """A pair that is known here and not there is refused there, in the panel's words."""
    accesses.add("old", PAIR)
    answer = front.test_client().get(URL, query_string=CREDENTIALS | {"call": "getClients"})
    assert error(answer) == "Wrong API ID or API Key"
    assert len(panel.journal()) == 1


def test_an_upload_arrives_whole(front: Flask, panel: PhpPanel) -> None:
    content = bytes(range(256)) * 20_000  # 5 MB: over the limit of bodies that are answered here
    body, kind = multipart(panel.credentials | {"call": "uploadFile"}, content)
    answer = front.test_client().post(URL, data=body, content_type=kind)
    assert answer.get_json()["success"] is True
    (entry,) = panel.journal()
    assert [each["sha256"] for each in entry.files] == [hashlib.sha256(content).hexdigest()]


def test_answers_that_are_no_json_come_as_they_are(front: Flask, panel: PhpPanel) -> None:
    asked = front.test_client()
    pdf = asked.get(URL, query_string=panel.credentials | {"call": "getInvoicePdf", "id": 801})
    assert pdf.content_type == "application/pdf"
    assert pdf.headers["Content-Disposition"] == 'attachment; filename="invoice-801.pdf"'
    assert bytes(range(256)) in pdf.get_data()
    with panel.fault("html", status=500):
        answer = asked.get(URL, query_string=panel.credentials | {"call": "getClients"})
    assert answer.status_code == 500
    assert answer.content_type == "text/html; charset=UTF-8"
    assert b"Staff login" in answer.get_data()


@pytest.mark.parametrize(
    ("query", "headers", "body"),
    [
        (b"%c3%A9=%2f+%20&x[]=1&&call=getClients&=&a|b{\"<>'^`\\=1", {}, b""),
        ("call=getClients&name=é".encode(), {}, b""),
        (b"call=getClients&name=\xe9\xff", {}, b""),
        (b"call=getClients", {"Content-Type": FORM}, b"a=%zz&b=\x00\xff"),
        (b"call=getClients", {"Content-Type": "text/plain"}, b"anything \x00 at all"),
        (b"call=getClients", {"Content-Type": f"{FORM} ; Charset=\xe9"}, b""),
        (b"call=getClients", {"Content-Type": "application/JSON"}, b'{"a": 1.50, "b": [ ]}'),
    ],
)
def test_a_request_goes_out_byte_for_byte(
    client: FlaskClient, place: Stub, query: bytes, headers: dict[str, str], body: bytes
) -> None:
    whole = QUERY.encode() + b"&" + query
    method = "POST" if headers else "GET"
    answer = client.open(
        URL,
        method=method,
        data=body,
        headers=headers,
        environ_overrides={"QUERY_STRING": whole.decode("latin-1")},
    )
    assert answer.get_data() == b'{"success":true}'
    assert len(place.requests) == 1
    assert place.head()[0] == b"%b /admin/api.php?%b HTTP/1.1" % (method.encode(), whole)
    assert place.body() == body
    sent = [line for line in place.head() if line.lower().startswith(b"content-type:")]
    assert sent == [f"Content-Type: {value}".encode("latin-1") for value in headers.values()]


@pytest.mark.parametrize(
    "environ",
    [
        {"QUERY_STRING": f"{QUERY}&call=getClients HTTP/1.1\r\nHost: other\r\n\r\n"},
        {"QUERY_STRING": f"{QUERY}&call=getClients\tx"},
        {"QUERY_STRING": f"{QUERY}&call=getClients\x00"},
        {"QUERY_STRING": f"{QUERY}&call=getClients", "CONTENT_TYPE": "a\r\nHost: other"},
        {"QUERY_STRING": f"{QUERY}&call=getClients", "CONTENT_TYPE": "a\r\n b"},
    ],
)
def test_what_could_be_a_second_request_goes_nowhere(
    client: FlaskClient, place: Stub, environ: dict[str, str]
) -> None:
    answer = client.post(URL, environ_overrides=environ)
    assert error(answer) == "Wrong parameter"
    assert place.requests == []


def test_headers_that_could_be_two_are_left_out(client: FlaskClient, place: Stub) -> None:
    environ = {"HTTP_ACCEPT": "a\r\n b", "HTTP_USER_AGENT": "x" * 60_000}
    answer = client.get(URL, query_string=f"{QUERY}&call=getClients", environ_overrides=environ)
    assert answer.status_code == 200
    names = [line.partition(b":")[0] for line in place.head()[1:]]
    assert b"User-Agent" in names
    assert b"Accept" not in names


def test_only_the_named_headers_go_out(client: FlaskClient, place: Stub) -> None:
    answer = client.get(
        URL,
        query_string=f"{QUERY}&call=getClients",
        headers={
            "Accept": "application/json;q=0.9",
            "Accept-Encoding": "br, gzip;q=0.3",
            "User-Agent": "WHMCS \xe9/1",
            "Cookie": "session=1",
            "Authorization": "Bearer x",
            "X-Forwarded-For": "203.0.113.9",
            "X-Forwarded-Host": "other",
            "Referer": "https://other/",
            "X-Request-Id": "0123456789abcdef",
        },
        environ_overrides={"REMOTE_ADDR": "198.51.100.7"},
    )
    assert answer.status_code == 200
    assert sorted(place.head()[1:]) == sorted(
        [
            f"Host: 127.0.0.1:{place.port}".encode(),
            b"Accept: application/json;q=0.9",
            b"Accept-Encoding: br, gzip;q=0.3",
            "User-Agent: WHMCS \xe9/1".encode("latin-1"),
            b"X-Forwarded-For: 198.51.100.7",
            b"X-Promobridge-Forwarded: 1",
        ]
    )


def test_what_a_client_does_not_send_is_not_made_up(client: FlaskClient, place: Stub) -> None:
    client.get(
        URL, query_string=f"{QUERY}&call=getClients", environ_overrides={"HTTP_USER_AGENT": ""}
    )
    names = {line.partition(b":")[0] for line in place.head()[1:]}
    assert names == {b"Host", b"User-Agent", b"X-Forwarded-For", b"X-Promobridge-Forwarded"}


def test_only_what_describes_the_bytes_comes_back(client: FlaskClient, place: Stub) -> None:
    place.answer = (
        b"HTTP/1.1 402 Odd\r\nContent-Type: text/x; a=\xe9\r\nContent-Encoding: gzip\r\n"
        b"Set-Cookie: session=1\r\nServer: Apache\r\nX-Powered-By: PHP\r\nETag: x\r\n"
        b"Content-Disposition: in\x0bline\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08"
    )
    answer = client.get(URL, query_string=f"{QUERY}&call=getClients")
    assert (answer.status_code, answer.get_data()) == (402, b"\x1f\x8b\x08")
    assert answer.headers["Content-Type"] == "text/x; a=\xe9"
    assert answer.headers["Content-Encoding"] == "gzip"
    for name in ("Set-Cookie", "Server", "X-Powered-By", "ETag", "Content-Disposition"):
        assert name not in answer.headers


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("call=getClients&call=getInvoices", ""),
        ("call=getClients&c%61ll=getInvoices", ""),
        ("call=getClients&+call=getInvoices", ""),
        ("call=getClients", "call=getInvoices"),
        ("call=getClients&api.id=abcd", ""),
        ("call=getClients", "api%20key=abcd"),
        ("call=getClients&call[]=x", ""),
        ("call=getClients", "a=" + "x" * 2_000_000 + "&call=getInvoices"),
        ("call=getClients", "&".join(f"a{n}=1" for n in range(2000)) + "&call=getInvoices"),
    ],
)
def test_call_and_caller_are_named_once(
    client: FlaskClient, place: Stub, query: str, body: str
) -> None:
    answer = client.post(URL, query_string=f"{QUERY}&{query}", data=body, content_type=FORM)
    assert "is given twice, with different values" in error(answer)
    assert place.requests == []


def test_the_same_twice_is_no_contradiction(client: FlaskClient, place: Stub) -> None:
    body = urlencode(CREDENTIALS | {"call": "getClients"})
    answer = client.post(URL, query_string=f"{QUERY}&call=getClients", data=body, content_type=FORM)
    assert answer.get_json() == {"success": True}
    assert len(place.requests) == 1


def test_a_large_body_is_read_only_for_who_is_proven(client: FlaskClient, place: Stub) -> None:
    large = b"&data=" + b"x" * 2_000_000
    behind = large[1:] + f"&{QUERY}&call=getClients".encode()
    for body in (b"call=getClients&api_id=abcd&api_key=wrong" + large, behind):
        answer = client.post(URL, data=body, content_type=FORM)
        assert error(answer) == "Wrong API ID or API Key"
    assert place.requests == []
    begun = f"{QUERY}&call=getClients".encode() + large
    assert client.post(URL, data=begun, content_type=FORM).get_json() == {"success": True}
    assert place.body() == begun


def test_a_body_over_the_limit_of_forwarding_is_refused(store: Settings, place: Stub) -> None:
    accesses.add("tests", PAIR)
    with in_front(store, panel_url=place.url, panel_body_limit_bytes=2_000_000) as made:
        answer = made.test_client().post(
            URL, query_string=f"{QUERY}&call=getClients", data=b"x" * 2_000_001
        )
    assert answer.status_code == 413
    assert error(answer) == "Request Entity Too Large"
    assert place.requests == []


def test_calls_that_are_answered_here_keep_their_limit(client: FlaskClient, place: Stub) -> None:
    answer = client.post(URL, query_string=f"{QUERY}&call=validatePromoCode", data=b"x" * 1_048_577)
    assert answer.status_code == 413
    assert place.requests == []


def test_our_extensions_are_answered_here(client: FlaskClient, place: Stub) -> None:
    for name in ("listPromoUsage", "LISTPROMOUSAGE"):
        answer = client.get(URL, query_string=f"{QUERY}&call={name}")
        assert answer.get_json()["success"] is True
    assert place.requests == []


def test_an_unknown_pair_goes_nowhere(client: FlaskClient, place: Stub) -> None:
    for query in ("", "api_id=abcd&api_key=efgh&", f"api_id={PAIR.api_id}&api_key=efgh&"):
        answer = client.get(URL, query_string=f"{query}call=getClients")
        assert error(answer) == "Wrong API ID or API Key"
    assert place.requests == []


def test_wrong_pairs_lock_out_as_everywhere(store: Settings, place: Stub) -> None:
    accesses.add("tests", PAIR)
    with in_front(store, panel_url=place.url, wrong_credentials_per_minute=3) as made:
        client = made.test_client()
        for _ in range(3):
            client.get(URL, query_string="api_id=abcd&api_key=efgh&call=getClients")
        answer = client.get(URL, query_string="api_id=abcd&api_key=efgh&call=getClients")
        assert answer.status_code == 429
    assert place.requests == []


def test_each_access_has_its_addresses(store: Settings, place: Stub) -> None:
    accesses.add("tests", PAIR, "192.0.2.1 198.51.100.0/24")
    with in_front(store, panel_url=place.url) as made:
        for address, is_let_in in (
            ("192.0.2.1", True),
            ("198.51.100.200", True),
            ("192.0.2.2", False),
        ):
            answer = made.test_client().get(
                URL,
                query_string=f"{QUERY}&call=getClients",
                environ_overrides={"REMOTE_ADDR": address},
            )
            assert answer.get_json()["success"] is is_let_in
    assert len(place.requests) == 2


def test_an_access_with_few_calls_forwards_only_these(client: FlaskClient, place: Stub) -> None:
    accesses.deny(PAIR.api_id, [*calls.registry()], [*calls.registry()])
    accesses.allow(PAIR.api_id, ["getInvoices"])
    for name, may in (("getClients", False), ("getInvoices", True), ("GETINVOICES", True)):
        answer = client.get(URL, query_string=f"{QUERY}&call={name}")
        assert answer.get_json()["success"] is may
    assert len(place.requests) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_no_answer(client: FlaskClient, place: Stub, status: int) -> None:
    place.answer = (
        b"HTTP/1.1 %d Moved\r\nLocation: https://elsewhere.example/?key=1\r\n"
        b"Content-Length: 0\r\n\r\n" % status
    )
    answer = client.get(URL, query_string=f"{QUERY}&call=getClients")
    assert answer.status_code == 503
    assert "PROMOBRIDGE_PANEL_URL must be where it answers itself" in error(answer)
    assert "elsewhere.example" not in error(answer)
    assert "Retry-After" not in answer.headers
    assert len(place.requests) == 1


def test_a_request_of_our_own_is_refused(client: FlaskClient, place: Stub) -> None:
    answer = client.get(
        URL,
        query_string=f"{QUERY}&call=getClients",
        headers={"X-Promobridge-Forwarded": "1"},
    )
    assert answer.status_code == 503
    assert error(answer).startswith("The panel's URL leads back to this service")
    assert place.requests == []


def hang_up(connection: Any) -> None:
    """Answer nothing."""


@pytest.mark.parametrize(
    "answer",
    [
        hang_up,
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"suc\r\n',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"not HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999\r\n\r\n",
    ],
)
def test_what_the_panel_breaks_off_is_not_tried_again(
    client: FlaskClient, place: Stub, answer: Any
) -> None:
    place.answer = answer
    for method in ("GET", "POST"):
        refused = client.open(URL, method=method, query_string=f"{QUERY}&call=getClients")
        assert refused.status_code == 503
        assert error(refused).endswith(NOT_KNOWN)
        assert "Retry-After" not in refused.headers
        assert PAIR.api_key not in refused.get_data(as_text=True)
    assert len(place.requests) == 2


def test_what_was_not_sent_may_be_tried_again(store: Settings) -> None:
    accesses.add("tests", PAIR)
    with stub() as gone:
        url = gone.url
    for wrong, said in (
        (url, "The panel does not take connections"),
        ("https://nowhere.invalid/api.php", "The panel's host has no address"),
        (url.replace("http:", "https:"), "The panel does not take connections"),
    ):
        with in_front(store, panel_url=wrong) as made:
            answer = made.test_client().get(URL, query_string=f"{QUERY}&call=getClients")
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        assert error(answer).startswith(said)
        assert error(answer).endswith(NOT_SENT)


def test_a_certificate_that_does_not_hold_is_told(store: Settings, panel: PhpPanel) -> None:
    accesses.add("tests", PAIR)
    query = f"{QUERY}&call=getClients"
    with in_front(store, panel_url=panel.url) as made:
        answer = made.test_client().get(URL, query_string=query)
    assert answer.headers["Retry-After"] == "5"
    assert error(answer).startswith("The panel's certificate does not hold")
    with in_front(store, panel_url=panel.plain_url.replace("http:", "https:")) as made:
        answer = made.test_client().get(URL, query_string=query)
    assert error(answer).startswith("The panel does not speak TLS")
    assert panel.journal() == []


def test_an_answer_over_the_limit_is_refused(store: Settings) -> None:
    accesses.add("tests", PAIR)
    most = 1_048_576
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
    with (
        stub(head + b"Content-Length: %d\r\n\r\n" % (most + 1)) as place,
        in_front(store, panel_url=place.url, panel_answer_limit_bytes=most) as made,
    ):
        answer = made.test_client().get(URL, query_string=f"{QUERY}&call=getClients")
        assert answer.status_code == 503
        assert error(answer).startswith("The panel's answer is larger than 1,048,576 bytes")
        place.answer = head + b"\r\n" + b"x" * (most + 1)
        with pytest.raises(Exception, match="larger than"):  # the connection ends with it
            made.test_client().get(URL, query_string=f"{QUERY}&call=getClients").get_data()


def test_the_calls_of_both_are_listed(front: Flask, panel: PhpPanel) -> None:
    asked = front.test_client()
    query = panel.credentials | {"call": "getAPIMethods"}
    listed = asked.get(URL, query_string=query, headers={"Accept-Encoding": "gzip"}).get_json()
    theirs = [*listed["methods"]]
    assert "getClients" in theirs
    assert "redeemPromoCode" in theirs
    assert theirs.index("getClients") < theirs.index("redeemPromoCode")
    assert len(theirs) == len({name.lower() for name in theirs})
    assert list(listed) == ["success", "methods", "call", "server_time"]
    panel.stop()
    alone = asked.get(URL, query_string=query).get_json()
    assert "getClients" not in alone["methods"]
    assert "redeemPromoCode" in alone["methods"]
    assert "The panel does not answer" in alone["info"][0]


def test_credentials_stay_out_of_the_log(
    store: Settings, caplog: pytest.LogCaptureFixture, place: Stub
) -> None:
    accesses.add("tests", PAIR)
    place.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nbroken header\r\n\r\n"
    with caplog.at_level(1), in_front(store, panel_url=place.url) as made:
        made.test_client().get(URL, query_string=f"{QUERY}&call=getClients")
    assert place.requests
    others = [each for each in caplog.records if not each.name.startswith("peewee")]
    assert not any(PAIR.api_key in each.getMessage() for each in others)
    assert not any(PAIR.api_id in each.getMessage() for each in others)
    assert not any(each.name.startswith("urllib3") for each in others)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://panel.example/admin/api.php", "must begin with https://"),
        ("ftp://panel.example/admin/api.php", "must begin with https://"),
        ("panel.example", "must be a URL such as https://panel.example/admin/api.php"),
        ("https:///admin/api.php", "must be a URL such as"),
        ("https://panel.example:x/admin/api.php", "must be a URL such as"),
        ("https://panel.example/admin/api.php?a=1", "must have no query"),
        ("https://user:key@panel.example/admin/api.php", "must have no query"),
        ("https://panel.example/admin/api.php\r\nX: y", "must be a URL such as"),
    ],
)
def test_a_url_of_no_use_is_refused(store: Settings, url: str, said: str) -> None:
    from app import create_app
    from app.config import BadSetting

    with pytest.raises(BadSetting, match="PROMOBRIDGE_PANEL_URL") as refused:
        create_app(Settings(database_url=store.database_url, panel_url=url))
    assert said in str(refused.value)
    assert "key@" not in str(refused.value)
