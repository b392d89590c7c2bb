"""Limits on both APIs: who guesses is locked out, who shares an address with a guesser is not."""

from __future__ import annotations

import logging
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app import create_app
from app.cli import main
from app.config import Settings
from app.limits import Limits, MemoryCounter, TooMany, network
from models.access import accesses, secrets
from models.access.accesses import Pair
from models.campaigns import campaigns
from models.promotions.coupons import Coupon
from models.store.base import database
from models.store.errors import NotFound
from tests import stores
from tests.app.rest.conftest import LIVE, SLUG
from tests.credentials import PAIR, QUERY
from tests.redis_server import RedisServer, running
from tests.serving import Server, served

OTHER = Pair("shop", "shop-key")
HERE, THERE = "203.0.113.7", "203.0.113.8"
LIMITS = {
    "wrong_credentials_per_minute": 3,
    "wrong_codes_per_minute": 3,
    "wrong_codes_of_caller_per_minute": 5,
}
SENTENCE = "Too many requests, try again later"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, **LIMITS)


@pytest.fixture(autouse=True)
def _other(store: Settings) -> None:
    accesses.add("shop", OTHER)


def ask(
    client: FlaskClient, call: str, pair: Pair = PAIR, address: str = HERE, **arguments: Any
) -> TestResponse:
    """Make a legacy call from an address."""
    sent = {"api_id": pair.api_id, "api_key": pair.api_key, "call": call} | arguments
    return client.post("/api.php", data=sent, environ_overrides={"REMOTE_ADDR": address})


def throttled(answer: TestResponse, call: str = "getHostBillversion", most: int = 300) -> bool:
    """Tell whether an answer is the refusal of a limit, complete as the contract has it."""
    if answer.status_code != 429:
        return False
    assert list(answer.get_json()) == ["success", "call", "server_time", "error"]
    assert (answer.get_json()["call"], answer.get_json()["error"]) == (call, [SENTENCE])
    assert 1 <= int(answer.headers["Retry-After"]) <= most
    return True


def tried(
    client: FlaskClient, times: int, api_id: str = PAIR.api_id, address: str = HERE
) -> list[int]:
    """Return the statuses of wrong keys for an id."""
    return [
        ask(client, "getHostBillversion", Pair(api_id, f"wrong{n}"), address).status_code
        for n in range(times)
    ]


class TestCredentials:
    def test_wrong_keys_lock_their_id_out_at_their_address_and_nowhere_else(
        self, client: FlaskClient
    ) -> None:
        assert tried(client, 5) == [200, 200, 200, 429, 429]
        assert throttled(ask(client, "getHostBillversion"))
        assert throttled(ask(client, "getHostBillversion", Pair(PAIR.api_id, "wrong")))
        assert ask(client, "getHostBillversion", address=THERE).get_json()["success"]
        assert ask(client, "getHostBillversion", OTHER).get_json()["success"]

    def test_wrong_ids_lock_the_address_out_but_no_right_pair(self, client: FlaskClient) -> None:
        statuses = [tried(client, 1, f"id{number}")[0] for number in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        assert throttled(ask(client, "getHostBillversion", Pair(OTHER.api_id, "wrong")))
        assert ask(client, "getHostBillversion", OTHER).get_json()["success"]
        assert tried(client, 1, address=THERE) == [200]

    def test_a_lockout_of_the_address_does_not_hide_guesses_at_one_id(
        self, client: FlaskClient
    ) -> None:
        for number in range(4):
            tried(client, 1, f"id{number}")
        assert tried(client, 3) == [429] * 3
        assert throttled(ask(client, "getHostBillversion"))

    def test_a_known_and_an_unknown_id_are_locked_out_alike(self, client: FlaskClient) -> None:
        known = tried(client, 5)
        assert tried(client, 5, "unknown", THERE) == known

    def test_a_disabled_access_is_like_a_wrong_key(self, client: FlaskClient) -> None:
        accesses.enable(PAIR.api_id, False)
        answers = [ask(client, "getHostBillversion") for _ in range(5)]
        assert [throttled(answer) for answer in answers] == [False] * 3 + [True] * 2

    def test_who_sends_no_pair_is_not_counted(self, client: FlaskClient) -> None:
        answers = [ask(client, "getHostBillversion", Pair("", "")) for _ in range(9)]
        assert {answer.status_code for answer in answers} == {200}

    def test_ipv6_is_counted_by_network(self, client: FlaskClient) -> None:
        statuses = [tried(client, 1, address=f"2001:db8:0:1::{n}")[0] for n in range(1, 6)]
        assert statuses == [200, 200, 200, 429, 429]
        assert ask(client, "getHostBillversion", address="2001:db8:0:2::1").status_code == 200

    def test_the_log_names_the_address_and_no_credential(
        self, client: FlaskClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.WARNING):
            tried(client, 9)
        assert set(caplog.messages) == {f"Too many wrong credentials from {HERE}: a lockout"}
        assert len(caplog.messages) == 2  # the address, and the id there

    def test_secrets_of_the_rest_face_count_with_them(self, client: FlaskClient) -> None:
        campaigns.add(LIVE, SLUG, "Summer")
        _, secret = secrets.add(LIVE)
        tried(client, 2)

        def stats(secret: str) -> int:
            return client.get(
                f"/v1/campaigns/codes/stats?slug={SLUG}",
                headers={"X-API-Secret": secret},
                environ_overrides={"REMOTE_ADDR": HERE},
            ).status_code

        assert [stats("sk_live_" + "0" * 32) for _ in range(3)] == [401, 429, 429]
        assert stats(secret) == 200


CODE_CALLS = [
    ("getPromoDetailsByCode", "code", {}),
    ("validatePromoCode", "code", {}),
    ("redeemPromoCode", "code", {}),
    ("applyInvoiceCoupon", "applycoupon", {"id": 7}),
    ("applyInvoiceCoupon", "applycoupon", {"id": 7, "idempotency_key": "k"}),
]


class TestCodes:
    @pytest.mark.parametrize(("call", "name", "more"), CODE_CALLS)
    def test_unknown_codes_lock_the_caller_out_at_its_address(
        self, client: FlaskClient, call: str, name: str, more: dict[str, Any]
    ) -> None:
        ask(client, "addPromoCode", code="RIGHT", coupon_type="invoice", type="fixed", value=1)
        if "idempotency_key" in more:
            more = {"id": 7}
            keys: list[dict[str, str]] = [{"idempotency_key": f"k{n}"} for n in range(8)]
        else:
            keys = [{}] * 8
        wrong = [ask(client, call, **more, **{name: f"no{n}"}, **keys[n]) for n in range(7)]
        assert [throttled(answer, call) for answer in wrong] == [False] * 5 + [True] * 2
        right = ask(client, call, **more, **{name: "RIGHT"}, **keys[7])
        assert throttled(right, call)
        assert Coupon.get(code="RIGHT").num_usage == 0
        assert not throttled(ask(client, call, OTHER, **more, **{name: "no"}), call)
        assert not throttled(ask(client, call, address=THERE, **more, **{name: "no"}), call)
        assert ask(client, "listPromoCodes").get_json()["success"]

    def test_one_client_of_a_shop_is_locked_out_alone(self, client: FlaskClient) -> None:
        call = "validatePromoCode"
        wrong = [ask(client, call, code=f"no{n}", client_id=1) for n in range(4)]
        assert [throttled(answer, call) for answer in wrong] == [False] * 3 + [True]
        assert not throttled(ask(client, call, code="no", client_id=2), call)

    def test_known_codes_are_never_counted(self, client: FlaskClient) -> None:
        call = "getPromoDetailsByCode"
        ask(client, "addPromoCode", code="R", coupon_type="invoice", type="fixed", value=1)
        assert all(ask(client, call, code="R").get_json()["success"] for _ in range(20))

    def test_a_kept_answer_is_given_again_in_a_lockout(self, client: FlaskClient) -> None:
        ask(client, "addPromoCode", code="R", coupon_type="invoice", type="fixed", value=1)
        use = {"id": 7, "applycoupon": "R", "idempotency_key": "k"}
        first = ask(client, "applyInvoiceCoupon", **use)
        for number in range(6):
            ask(client, "getPromoDetailsByCode", code=f"no{number}")
        assert ask(client, "applyInvoiceCoupon", **use).data == first.data
        assert Coupon.get(code="R").num_usage == 1


class TestRates:
    @pytest.mark.parametrize(
        ("setting", "pair", "address"),
        [
            ("calls_of_access_per_minute", OTHER, HERE),
            ("calls_of_address_per_minute", PAIR, THERE),
        ],
    )
    def test_calls_over_a_rate_wait(
        self, store: Settings, setting: str, pair: Pair, address: str
    ) -> None:
        accesses.add("tests", PAIR)
        app = create_app(replace(store, **{setting: 3}))
        client = app.test_client()
        answers = [ask(client, "getHostBillversion") for _ in range(5)]
        late = [throttled(answer, most=60) for answer in answers[3:]]
        assert [answer.status_code for answer in answers[:3]] == [200] * 3
        assert late == [True, True]
        assert ask(client, "getHostBillversion", pair, address).get_json()["success"]
        app.config["USAGE_LOG"].close()
        database.close_all()

    def test_there_is_none_unless_it_is_set(self, client: FlaskClient) -> None:
        assert {ask(client, "getHostBillversion").status_code for _ in range(200)} == {200}


def test_zero_switches_every_limit_off(settings: Settings) -> None:
    limits = Limits(replace(settings, **dict.fromkeys(LIMITS, 0)), MemoryCounter())
    for _ in range(100):
        limits.count_request(HERE)
        limits.wrong_credentials(HERE, "id")
        limits.right_credentials(HERE, "id", "access:1")
        with pytest.raises(NotFound), limits.lookup_guard("access:1", HERE)(1):
            raise NotFound("Code not found", "code_not_found")


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8::7", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "-"),
        ("fe80::1%" + "x" * 1000, "fe80::/64"),
        ("sk_live_x\n", "-"),
    ],
)
def test_what_an_address_is_counted_as(address: str, counted: str) -> None:
    assert network(address) == counted


def test_long_names_and_addresses_are_not_kept(settings: Settings) -> None:
    limits = Limits(replace(settings, wrong_credentials_per_minute=1000), MemoryCounter())
    tracemalloc.start()
    try:
        for number in range(50):
            text = f"{number:0100000}"
            limits.wrong_credentials(text, text)
            limits.right_credentials(text, text, "access:1")
            with limits.lookup_guard("access:1", text)(text):
                pass
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1_000_000


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    folder = tmp_path / "redis"
    folder.mkdir()
    with running(folder) as server:
        yield server


class TestManyHosts:
    def test_a_limit_holds_over_two_hosts_and_ends_with_unlock(
        self, app: object, redis: RedisServer, tmp_path: Path
    ) -> None:
        shared = {
            "PROMOBRIDGE_LIMITS_URL": redis.url,
            "PROMOBRIDGE_WRONG_CREDENTIALS_PER_MINUTE": "10",
            "PROMOBRIDGE_CALLS_OF_ACCESS_PER_MINUTE": "20",
        }
        right = f"api_id={OTHER.api_id}&api_key={OTHER.api_key}&call=getHostBillversion"
        wrong = f"api_id={PAIR.api_id}&api_key=wrong&call=getHostBillversion"
        shared["PROMOBRIDGE_DATABASE_URL"] = stores.url(tmp_path)
        second = tmp_path / "second"
        second.mkdir()
        with served(tmp_path, **shared) as one, served(second, **shared) as other:
            hosts = [one, other]
            assert statuses(hosts, wrong, 14) == [200] * 10 + [429] * 4
            assert statuses(hosts, right, 24) == [200] * 20 + [429] * 4
            with redis.client() as client:
                names = client.keys()
                assert all(client.ttl(name) > 0 for name in names)
            text = " ".join(names)
            assert names
            for secret in (*vars(PAIR).values(), OTHER.api_key, "127.0.0.1", "wrong"):
                assert secret not in text.replace("promobridge:wrong:", "")
            environment = {"PROMOBRIDGE_LIMITS_URL": redis.url}
            done = CliRunner(env=environment).invoke(main, ["access", "unlock", "--json"])
            assert done.stdout == '{"unlocked": true}\n'
            with redis.client() as client:
                assert client.keys() == []
            assert statuses(hosts, right, 2) == [200] * 2

    def test_a_killed_redis_refuses_nobody(
        self, app: object, redis: RedisServer, tmp_path: Path
    ) -> None:
        limits = {"PROMOBRIDGE_WRONG_CREDENTIALS_PER_MINUTE": "5"}
        right = f"{QUERY}&call=getHostBillversion"
        wrong = "api_id=x&api_key=wrong&call=getHostBillversion"
        with served(
            tmp_path, "--workers", "1", PROMOBRIDGE_LIMITS_URL=redis.url, **limits
        ) as server:
            assert statuses([server], right, 3) == [200] * 3
            redis.kill()
            assert statuses([server], right, 50) == [200] * 50
            assert statuses([server], wrong, 7) == [200] * 5 + [429] * 2
            assert server.log().count("Limits are counted by each process") == 1
            assert "of-the-tests" not in server.log()


def statuses(hosts: list[Server], query: str, times: int) -> list[int]:
    """Return the statuses of calls that go round the hosts."""
    return [hosts[number % len(hosts)].get(query).status for number in range(times)]


def test_unlock_without_a_store_says_why_not() -> None:
    done = CliRunner().invoke(main, ["access", "unlock"])
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: PROMOBRIDGE_LIMITS_URL names no store")


def test_a_lockout_is_as_long_as_its_setting(settings: Settings) -> None:
    limits = Limits(replace(settings, lockout_seconds=900), MemoryCounter())
    for _ in range(3):
        limits.wrong_credentials(HERE, "id")
    with pytest.raises(TooMany) as refused:
        limits.right_credentials(HERE, "id", "access:1")
    assert refused.value.seconds == 900
