"""The journal of a double: what was asked of it, without credentials, and within bounds."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from app.double import journal
from app.double.asked import RPC, Asked
from app.double.journal import Journal
from tests.double.conftest import NO_ANSWER, PAIR, SECRET, Started

JSON = {"Content-Type": "application/json", "X-API-Secret": SECRET}
FORM = "Content-Type: application/x-www-form-urlencoded"
SENT = {"call": "addPromoCode", "code": "CUT", "coupon_type": "cart", "type": "percent", "value": 5}


def asked(double: Started) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = double.control("GET", "requests")["requests"]
    return found


def sent_partly(double: Started, head: str, body: bytes) -> bytes:
    """Return the answer to a request whose sender ends it after these bytes."""
    address = urlsplit(double.url)
    assert address.hostname
    assert address.port
    with socket.create_connection((address.hostname, address.port), 10) as connection:
        lines = f"POST /admin/api.php HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{FORM}\r\n{head}"
        connection.sendall(f"{lines}\r\n\r\n".encode() + body)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            return answer.read()


class TestContents:
    def test_what_was_sent_is_there_without_credentials(self, double: Started) -> None:
        double.call("validatePromoCode", code="A", notes=f"my {PAIR.api_key}")
        double.rest("POST", "/campaigns/summer-promo/redeem", {"userId": "u", "code": SECRET})
        double.call("validatePromoCode", code="B", client_id="7")
        first, rest, last = asked(double)
        assert first["call"] == last["call"] == "validatePromoCode"
        assert first["arguments"] == {"code": "A", "notes": "my ***"}
        assert last["arguments"] == {"code": "B", "client_id": "7"}
        assert (last["face"], last["method"], last["status"]) == ("rpc", "GET", 200)
        assert last["path"] == "/admin/api.php"
        assert (rest["face"], rest["call"]) == ("rest", "POST /v1/campaigns/{slug}/redeem")
        assert rest["arguments"] == {"userId": "u", "code": "***"}
        text = double.send("GET", "/_double/requests").body.decode()
        assert not [key for key in (*PAIR.__dict__.values(), SECRET) if key in text]

    def test_credentials_in_wrong_places_are_masked(self, double: Started) -> None:
        """A key that was meant for another server, too: who misspells a name sends a real one."""
        real = "833a7f4c790913b5be12"
        double.send("GET", f"/v1/campaigns/{SECRET}/codes")
        double.send("GET", f"/elsewhere/{PAIR.api_key}")
        double.call(PAIR.api_key)
        double.send("GET", f"/v1/campaigns/codes?api_key={real}&api_id={real}&slug=s")
        double.call("getClients", Api_Key=real, apikey=real, secret=f"sk_live_{real}")
        double.send("POST", "/v1/campaigns", json.dumps({"x": {"apiKey": real}}).encode(), JSON)
        text = double.send("GET", "/_double/requests").body.decode()
        assert not [key for key in (PAIR.api_key, SECRET, real) if key in text]
        found = [each["arguments"] for each in asked(double)]
        assert found[3] == {"api_key": "***", "api_id": "***", "slug": "s"}
        assert found[4] == {"Api_Key": "***", "apikey": "***", "secret": "***"}
        assert found[5] == {"x": {"apiKey": "***"}}

    def test_it_counts_and_forgets(self, double: Started) -> None:
        for _ in range(3):
            double.call("listPromoBatches")
        double.call("getHostBillversion")
        assert double.control("GET", "requests?call=listPromoBatches&count") == {"count": 3}
        assert double.control("GET", "requests?count") == {"count": 4}
        assert len(double.control("GET", "requests?call=getHostBillVersion")["requests"]) == 1
        double.control("DELETE", "requests")
        assert asked(double) == []

    def test_what_never_got_an_answer_is_there_too(self, double: Started) -> None:
        double.control("PUT", "faults", {"drop": True, "times": 1})
        with pytest.raises(NO_ANSWER):
            double.call("listPromoBatches")
        assert asked(double)[0]["status"] == 0

    def test_what_is_no_json_has_no_arguments(self, double: Started) -> None:
        deep = b'{"a":' + b"[" * 900 + b"]" * 900 + b"}"
        for body in (b'{"a":NaN}', b'{"a":1e999}', deep, b"[1]", b'{"a":1.5}'):
            double.send("POST", "/v1/campaigns", body, JSON)
        text = double.send("GET", "/_double/requests").body
        found = json.loads(text, parse_constant=pytest.fail)["requests"]
        assert [each["arguments"] for each in found] == [{}, {}, {}, {}, {"a": 1.5}]


class TestBounds:
    def kept(self, given: Journal, **arguments: str) -> Any:
        given.add(Asked(RPC, "getClients", "GET", "/admin/api.php", arguments), 0)
        return given.entries()[-1]["arguments"]

    def test_a_key_that_looks_like_json_is_hidden_and_harms_nothing(self) -> None:
        given = Journal(("null", '"},{', "nullable"))
        assert self.kept(given, a='x"},{y', b="nullable") == {"a": "x***y", "b": "***"}
        given.add(Asked(RPC, "c", "GET", "/", {"n": None, "t": [True, 12]}), 0)
        assert given.entries()[-1]["arguments"] == {"n": None, "t": [True, 12]}

    def test_long_arguments_are_told_by_name(self) -> None:
        given = Journal()
        assert self.kept(given, a="x" * journal.LONGEST, b="y") == {"a": "…", "b": "…"}

    def test_the_oldest_go(self, monkeypatch: pytest.MonkeyPatch) -> None:
        given = Journal()
        monkeypatch.setattr(journal, "MOST", 3)
        for number in range(5):
            self.kept(given, n=str(number))
        assert [each["arguments"]["n"] for each in given.entries()] == ["2", "3", "4"]
        monkeypatch.setattr(journal, "TOTAL", 1000)
        self.kept(given, n="5" * 985)
        assert given.count() == 1


class TestRequestsThatAreNotWhole:
    """The application refuses them, be they read here before or not."""

    @pytest.mark.parametrize("framing", ["length", "chunk", "no chunk"])
    def test_nothing_of_one_is_done(self, double: Started, framing: str) -> None:
        query = {"api_id": PAIR.api_id, "api_key": PAIR.api_key} | SENT
        body = urlencode(query).encode()
        head = "Transfer-Encoding: chunked"
        if framing == "length":
            head = f"Content-Length: {len(body) + 10}"
        elif framing == "chunk":
            body = b"%x\r\n%b" % (len(body) + 10, body)
        else:
            body = b"zz\r\n%b" % body
        assert b'"error":["Wrong parameter"]' in sent_partly(double, head, body)
        assert not double.call("getPromoDetailsByCode", code="CUT")["success"]

    def test_no_stub_answers_one(self, double: Started) -> None:
        double.control("PUT", "stubs", {"call": "getClients", "answers": [{"clients": []}]})
        query = {"api_id": PAIR.api_id, "api_key": PAIR.api_key, "call": "getClients"}
        body = urlencode(query).encode() + b"&id="
        whole = sent_partly(double, f"Content-Length: {len(body)}", body)
        assert b'"clients":[]' in whole
        assert b"Wrong parameter" in sent_partly(double, f"Content-Length: {len(body) + 1}", body)

    def test_a_chunked_one_is_read(self, double: Started) -> None:
        query = {"api_id": PAIR.api_id, "api_key": PAIR.api_key} | SENT
        body = urlencode(query).encode()
        sent = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        assert b'"success":true' in sent_partly(double, "Transfer-Encoding: chunked", sent)
        assert asked(double)[-1]["arguments"]["code"] == "CUT"
