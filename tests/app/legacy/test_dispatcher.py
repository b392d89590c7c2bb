"""The legacy endpoint: transport (T), access (A), errors and pages (P) of the contract."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient

import calls
from app import create_app
from app.config import Settings
from app.legacy import dispatcher
from calls.rendering import batch_json
from models.access import accesses
from models.promotions import batch_life, batches, coupon_lists, coupons
from models.promotions.terms import Terms
from models.store.base import database
from tests.credentials import CREDENTIALS, PAIR

ADMIN = "/admin/api.php"


def get(client: FlaskClient, call: str, path: str = ADMIN, **arguments: str) -> dict[str, Any]:
    """Ask with everything in the query and return the parsed answer."""
    answer = client.get(f"{path}?{urlencode(CREDENTIALS | {'call': call} | arguments)}")
    assert answer.status_code == 200
    assert answer.content_type == "application/json; charset=UTF-8"
    return json.loads(answer.data)


def test_a_list_that_is_not_read_to_its_end_leaves_no_transaction_open(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch_life.make("Batch", Terms.of(), 9)
    monkeypatch.setattr(dispatcher, "WHOLE_BYTES", 10)
    monkeypatch.setattr(batch_json, "MANY_COUPONS", 2)
    monkeypatch.setattr(batch_json, "GROUP_COUPONS", 2)
    ended: list[bool] = []

    def noted(close: Callable[[], bool] = database.close) -> bool:
        ended.append(not database.in_transaction())
        return close()

    monkeypatch.setattr(database.obj, "close", noted)
    query = CREDENTIALS | {"call": "listPromoBatches"}
    answer = client.get(ADMIN, query_string=query, buffered=False)
    pieces = iter(answer.response)
    begun = b"".join(next(pieces) for _ in range(5))
    assert begun.count(b'"batch_id"') in range(1, 9)
    assert database.in_transaction()
    ended.clear()
    del pieces
    answer.close()
    assert ended == [True]


@pytest.fixture
def standing_codes(store: Settings) -> list[str]:
    """Make three coupons that stand alone, oldest first."""
    return [coupons.add(f"CODE{n}", Terms.of()).code for n in range(3)]


class TestTransport:
    @pytest.mark.parametrize("path", ["/admin/api.php", "/api.php"])
    def test_the_endpoint_has_two_paths(self, client: FlaskClient, path: str) -> None:
        assert get(client, "getHostBillversion", path)["success"] is True

    def test_the_admin_folder_is_a_setting(self, store: Settings) -> None:
        accesses.add("tests", PAIR)
        settings = Settings(database_url=store.database_url, admin_path="/7944web")
        renamed = create_app(settings).test_client()
        assert get(renamed, "getHostBillversion", "/7944web/api.php")["success"] is True
        assert renamed.get(ADMIN).status_code == 404

    @pytest.mark.parametrize(
        "request_options",
        [
            {"query_string": CREDENTIALS | {"call": "listPromoCodes", "page": "1"}},
            {"data": CREDENTIALS | {"call": "listPromoCodes", "page": "1"}},
            {
                "data": CREDENTIALS | {"call": "listPromoCodes", "page": "1"},
                "content_type": "multipart/form-data",
            },
            {"json": CREDENTIALS | {"call": "listPromoCodes", "page": 1}},
            {
                "query_string": CREDENTIALS | {"call": "listPromoCodes"},
                "data": {"page": "1"},
                "content_type": "multipart/form-data",
            },
            {
                "query_string": {"call": "listPromoCodes", "page": "9"},
                "json": CREDENTIALS | {"page": "1"},
            },
        ],
        ids=["query", "urlencoded", "multipart", "json", "half and half", "the body wins"],
    )
    def test_arguments_come_in_every_way(
        self, client: FlaskClient, standing_codes: list[str], request_options: dict[str, Any]
    ) -> None:
        method = "GET" if set(request_options) == {"query_string"} else "POST"
        answer = client.open(ADMIN, method=method, **request_options)
        assert json.loads(answer.data)["sorter"]["sorterpage"] == 2

    @pytest.mark.parametrize(
        "query",
        [
            "?&{pair}&call=getHostBillversion",
            "&&{pair}&&call=getHostBillversion&",
            "{pair}&call=getHostBillversion&outputformat=json&unknown[]=x&unknown[][]=y",
            "{pair}&call=getHostBillversion&note=a+b c%zz%",
        ],
    )
    def test_sloppy_queries_are_tolerated(self, client: FlaskClient, query: str) -> None:
        text = query.format(pair=urlencode(CREDENTIALS))
        answer = client.get(ADMIN, environ_overrides={"QUERY_STRING": text})
        assert json.loads(answer.data)["success"] is True

    def test_a_get_may_say_json_and_bring_nothing(self, client: FlaskClient) -> None:
        query = CREDENTIALS | {"call": "getHostBillversion"}
        answer = client.get(
            ADMIN, query_string=query, content_type="application/json", headers={"Accept": "x/y"}
        )
        assert json.loads(answer.data)["success"] is True

    def test_a_look_at_the_head_runs_nothing(self, client: FlaskClient, store: Settings) -> None:
        wanted = {"call": "addPromoCode", "code": "HEADED", "coupon_type": "cart", "value": "1"}
        answer = client.head(ADMIN, query_string=CREDENTIALS | wanted | {"type": "fixed"})
        assert (answer.status_code, answer.data) == (200, b"")
        assert coupon_lists.total(include_batches=True) == 0

    def test_options_names_the_methods(self, client: FlaskClient) -> None:
        answer = client.options(ADMIN)
        assert answer.status_code == 200
        assert {"GET", "POST"} <= answer.allow

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [("GET", "/", 404), ("GET", "/admin/", 404), ("PUT", ADMIN, 405), ("DELETE", ADMIN, 405)],
    )
    def test_other_paths_and_methods_get_the_envelope(
        self, client: FlaskClient, method: str, path: str, status: int
    ) -> None:
        answer = client.open(path, method=method)
        body = json.loads(answer.data)
        assert answer.status_code == status
        assert list(body) == ["success", "call", "server_time", "error"]

    def test_a_body_over_the_limit_gets_413(self, store: Settings) -> None:
        app = create_app(Settings(database_url=store.database_url, body_limit_bytes=2000))
        answer = app.test_client().post(ADMIN, data={"note": "x" * 3000})
        assert answer.status_code == 413
        assert json.loads(answer.data)["success"] is False


class TestEnvelope:
    @pytest.mark.parametrize("name", sorted(calls.registry()))
    def test_every_call_keeps_the_order_of_keys(self, client: FlaskClient, name: str) -> None:
        body = get(client, name)
        keys = list(body)
        assert keys[0] == "success"
        assert body["call"] == name
        assert type(body["server_time"]) is int
        tail = [key for key in ("call", "sorter", "server_time", "info", "error") if key in body]
        assert keys[-len(tail) :] == tail
        if body["success"]:
            assert "error" not in body
        else:
            assert keys == ["success", "call", "server_time", "error"]
            assert body["error"]
            assert all(text.startswith("Wrong parameter") for text in body["error"])

    def test_text_is_compact_and_escaped_as_php_does(self, client: FlaskClient) -> None:
        answer = client.get(ADMIN, query_string=CREDENTIALS | {"call": "a/ż"})
        assert answer.data.startswith(b'{"success":false,"call":"a\\/\\u017c","server_time":')

    def test_what_is_no_text_is_echoed_as_replacement(self, client: FlaskClient) -> None:
        query = urlencode(CREDENTIALS) + "&call=%ff"
        answer = client.get(ADMIN, environ_overrides={"QUERY_STRING": query})
        assert b'"call":"\\ufffd"' in answer.data


class TestAccess:
    @pytest.mark.parametrize(
        "pair",
        [
            {},
            {"api_id": PAIR.api_id},
            {"api_key": PAIR.api_key},
            {"api_id": PAIR.api_id, "api_key": "wrong"},
            {"api_id": "unknown", "api_key": PAIR.api_key},
            {"api_id[]": PAIR.api_id, "api_key": PAIR.api_key},
            {"api_id": PAIR.api_id, "api_key": PAIR.api_key + "\0"},
            {"api_id": "\udcff".encode(errors="surrogateescape"), "api_key": PAIR.api_key},
        ],
    )
    def test_a_wrong_pair_is_refused_in_the_same_words(
        self, client: FlaskClient, pair: dict[str, str]
    ) -> None:
        answer = client.get(ADMIN, query_string=urlencode(pair) + "&call=getHostBillversion")
        assert json.loads(answer.data)["error"] == ["Wrong API ID or API Key"]

    def test_a_disabled_access_is_refused_in_the_same_words(self, client: FlaskClient) -> None:
        accesses.enable(PAIR.api_id, False)
        assert get(client, "getHostBillversion")["error"] == ["Wrong API ID or API Key"]

    @pytest.mark.parametrize(
        ("rule", "admitted"),
        [
            ("all", True),
            ("", True),
            ("127.0.0.1", True),
            ("127.0.0.0/8", True),
            ("127.0.0.0/255.0.0.0", True),
            ("::ffff:127.0.0.1", False),
            ("10.0.0.1", False),
            ("10.0.0.0/255.255.0.0", False),
            ("2001:db8::/32", False),
        ],
    )
    def test_the_address_rule_holds(self, store: Settings, rule: str, admitted: bool) -> None:
        accesses.add("tests", PAIR, ip_rule=rule)
        body = get(create_app(store).test_client(), "getHostBillversion")
        refusal = "This IP address is not allowed to use this API ID"
        assert body.get("error", []) == ([] if admitted else [refusal])

    def test_calls_can_be_taken_and_given_back(self, client: FlaskClient) -> None:
        every = list(calls.registry())
        accesses.deny(PAIR.api_id, ["listPromoCodes"], every)
        refusal = "Called method is not allowed for this API ID"
        assert get(client, "listPromoCodes")["error"] == [refusal]
        methods = get(client, "getAPIMethods")["methods"]
        assert methods == [name for name in every if name != "listPromoCodes"]
        accesses.allow(PAIR.api_id, None)
        assert get(client, "listPromoCodes")["success"] is True

    def test_unknown_and_missing_calls_have_their_words(self, client: FlaskClient) -> None:
        assert get(client, "accountSuspend")["error"] == ["Called method is not supported"]
        assert get(client, "")["error"] == ["Wrong parameter"]


class TestPages:
    def test_a_list_counts_pages_from_0(
        self, client: FlaskClient, standing_codes: list[str]
    ) -> None:
        body = get(client, "listPromoCodes", perpage="2")
        assert [row["code"] for row in body["coupons"]] == ["CODE2", "CODE1"]
        assert body["sorter"] == {
            "perpage": 2,
            "totalpages": 2,
            "sorterrecords": "3",
            "sorterpage": 1,
        }
        body = get(client, "listPromoCodes", perpage="2", page="1")
        assert [row["code"] for row in body["coupons"]] == ["CODE0"]
        assert body["sorter"]["sorterpage"] == 2

    def test_a_page_past_the_end_is_empty(
        self, client: FlaskClient, standing_codes: list[str]
    ) -> None:
        body = get(client, "listPromoCodes", page="1")
        assert (body["success"], body["coupons"]) == (True, [])
        assert body["sorter"]["totalpages"] == 1

    def test_an_empty_page_is_page_0(self, client: FlaskClient, standing_codes: list[str]) -> None:
        assert len(get(client, "listPromoCodes", page="")["coupons"]) == 3

    @pytest.mark.parametrize("page", ["-1", "abc", "1e3", "0x10", " 7", "\uff19", "1.0", "1" * 30])
    @pytest.mark.parametrize("call", ["listPromoCodes", "listPromoBatches"])
    def test_a_page_that_is_no_number_is_refused(
        self, client: FlaskClient, call: str, page: str
    ) -> None:
        assert get(client, call, page=page)["error"] == ["Wrong parameter: page"]

    def test_a_page_in_brackets_is_refused(self, client: FlaskClient) -> None:
        body = get(client, "listPromoCodes", **{"page[]": "1"})
        assert body["error"] == ["Wrong parameter: page"]

    def test_perpage_is_honoured_up_to_the_setting(self, store: Settings) -> None:
        accesses.add("tests", PAIR)
        for n in range(4):
            batches.add(f"batch {n}", Terms.of())
        small = Settings(
            database_url=store.database_url, batches_per_page=2, batches_per_page_max=3
        )
        client = create_app(small).test_client()
        sizes = {size: get(client, "listPromoBatches", perpage=size) for size in ("", "1", "50")}
        assert [len(body["batches"]) for body in sizes.values()] == [2, 1, 3]
        assert [body["sorter"]["perpage"] for body in sizes.values()] == [2, 1, 3]


def test_an_unexpected_fault_is_no_traceback(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    coupons.Coupon._meta.database.execute_sql("ALTER TABLE coupon RENAME TO elsewhere")
    answer = app.test_client().get(
        ADMIN, query_string=CREDENTIALS | {"call": "getPromoDetailsByCode", "code": "A"}
    )
    assert answer.status_code == 503
    assert json.loads(answer.data)["success"] is False
    assert PAIR.api_key not in caplog.text
