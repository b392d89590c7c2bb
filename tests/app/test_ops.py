"""/healthz, /readyz and /metrics: what they tell, to whom, and that they cost and touch nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.config import BadSetting, Settings, from_environment
from models.access.usage import ApiUsage
from models.store import schema
from models.store.base import database
from tests import stores
from tests.credentials import QUERY
from tests.metric_texts import Samples, samples, value


class TestHealth:
    def test_a_process_is_alive_without_its_store(
        self, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        touched = []
        monkeypatch.setattr(type(database.obj), "connect", lambda *_, **__: touched.append(1))
        answer = client.get("/healthz")
        assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})
        assert touched == []

    def test_a_current_store_is_ready(self, client: FlaskClient) -> None:
        answer = client.get("/readyz")
        assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ("delete from schema_migration where name < '0002'", schema.OLDER),
            (
                "insert into schema_migration (name, applied)"
                " select '9999_x', min(applied) from schema_migration",
                schema.NEWER,
            ),
            ("drop table schema_migration", schema.OLDER),
        ],
    )
    def test_another_schema_is_not_ready(
        self, client: FlaskClient, change: str, reason: str
    ) -> None:
        database.execute_sql(change)
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.get_json() == {"status": "error", "reason": reason}

    @stores.about_sqlite  # a file that is gone; of a server see test_server_restart
    def test_a_store_that_is_away_is_not_ready_and_a_look_makes_none(
        self, client: FlaskClient, tmp_path: Path
    ) -> None:
        database.close_all()
        (tmp_path / "store.db").rename(tmp_path / "away")
        (tmp_path / "store.db").mkdir()
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.get_json() == {"status": "error", "reason": "The store cannot be reached"}
        (tmp_path / "store.db").rmdir()
        (tmp_path / "away").rename(tmp_path / "store.db")
        assert client.get("/readyz").status_code == 200

    @stores.about_sqlite  # a file of other bytes
    def test_a_damaged_store_is_not_ready(self, client: FlaskClient, tmp_path: Path) -> None:
        database.close_all()
        for path in tmp_path.glob("store.db-*"):
            path.unlink()
        (tmp_path / "store.db").write_bytes(b"no database" * 1000)
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.get_json() == {"status": "error", "reason": "The store cannot be reached"}

    @pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
    def test_they_are_for_looking_only_and_not_in_the_usage_log(
        self, app: Flask, client: FlaskClient, path: str
    ) -> None:
        head = client.head(path)
        assert (head.status_code, head.data) == (200, b"")
        assert int(head.headers["Content-Length"]) > 0
        posted = client.post(path)
        assert (posted.status_code, {*posted.allow}) == (405, {"GET", "HEAD"})
        assert client.get(path).headers["Cache-Control"] == "no-store"
        app.config["USAGE_LOG"].close()
        assert ApiUsage.select().count() == 0


class TestWhoReadsMetrics:
    @pytest.mark.parametrize(
        ("rules", "address", "headers", "status"),
        [
            ("127.0.0.0/8 ::1", "127.0.0.1", {}, 200),
            ("127.0.0.0/8 ::1", "::1", {}, 200),
            ("127.0.0.0/8 ::1", "::ffff:127.0.0.1", {}, 200),
            ("127.0.0.0/8 ::1", "192.0.2.1", {}, 403),
            ("127.0.0.0/8 ::1", "", {}, 403),
            # A proxy on this host that nobody announced: its clients all look like it.
            ("127.0.0.0/8 ::1", "127.0.0.1", {"X-Forwarded-For": "192.0.2.1"}, 403),
            ("127.0.0.0/8 ::1", "127.0.0.1", {"X-Forwarded-For": ""}, 403),
            ("192.0.2.0/24", "192.0.2.1", {}, 200),
            ("192.0.2.0/24", "127.0.0.1", {}, 403),
            ("", "127.0.0.1", {}, 403),
            ("", "", {}, 403),
        ],
    )
    def test_only_who_a_setting_names(
        self, store: Settings, rules: str, address: str, headers: dict[str, str], status: int
    ) -> None:
        app = create_app(Settings(database_url=store.database_url, metrics_from=rules))
        answer = app.test_client().get(
            "/metrics", headers=headers, environ_overrides={"REMOTE_ADDR": address}
        )
        assert answer.status_code == status
        assert (b"promobridge_" in answer.data) is (status == 200)

    @pytest.mark.parametrize(("client", "status"), [("192.0.2.1", 403), ("127.0.0.1", 200)])
    def test_behind_an_announced_proxy_the_client_counts(
        self, store: Settings, client: str, status: int
    ) -> None:
        app = create_app(Settings(database_url=store.database_url, proxy_count=1))
        answer = app.test_client().get(
            "/metrics",
            headers={"X-Forwarded-For": client},
            environ_overrides={"REMOTE_ADDR": "127.0.0.1"},
        )
        assert answer.status_code == status

    @pytest.mark.parametrize("rules", ["everybody", "127.0.0.1,::1", "127.0.0.0/33", "all"])
    def test_rules_of_no_use_are_refused(self, rules: str) -> None:
        with pytest.raises(BadSetting, match="PROMOBRIDGE_METRICS_FROM"):
            from_environment({"PROMOBRIDGE_METRICS_FROM": rules})


class TestMeasurements:
    @pytest.fixture
    def read(self, client: FlaskClient) -> Callable[[], Samples]:
        """Return what has grown since the fixture was made."""

        def everything() -> Samples:
            return samples(client.get("/metrics").text)

        before = everything()
        return lambda: {key: number - before.get(key, 0.0) for key, number in everything().items()}

    def test_calls_by_name_and_result(
        self, client: FlaskClient, read: Callable[[], Samples]
    ) -> None:
        client.get(f"/api.php?{QUERY}&call=getHostBillversion")
        client.get(f"/api.php?{QUERY}&call=getPromoDetailsByCode&code=none")
        client.get("/api.php?call=getHostBillversion")
        for number in range(3):
            client.get(f"/api.php?{QUERY}&call=made-up-{number}")
        grown = read()
        count = "call_seconds_count"
        assert value(grown, count, call="getHostBillversion", result="ok") == 1
        assert value(grown, count, call="getHostBillversion", result="refused") == 1
        assert value(grown, count, call="getPromoDetailsByCode", result="refused") == 1
        assert value(grown, count, call="other", result="refused") == 3
        assert not [labels for _, labels in grown if "made-up" in str(labels)]
        at_most_30 = value(
            grown, "call_seconds_bucket", call="getHostBillversion", result="ok", le="30.0"
        )
        assert at_most_30 == 1
        assert 0 < value(grown, "call_seconds_sum", call="getHostBillversion", result="ok") < 30

    def test_a_fault_is_a_failed_call(
        self, client: FlaskClient, read: Callable[[], Samples]
    ) -> None:
        database.execute_sql("drop table access")
        client.get(f"/api.php?{QUERY}&call=getHostBillversion")
        assert value(read(), "call_seconds_count", call="getHostBillversion", result="failed") == 1

    def test_rest_routes_by_template(
        self, client: FlaskClient, read: Callable[[], Samples]
    ) -> None:
        client.get("/v1/openapi.json")
        client.get("/v1/campaigns/codes/jobs/made-up")
        client.get("/v1/made-up")
        grown = read()
        count = "rest_seconds_count"
        assert value(grown, count, method="GET", route="/openapi.json", status="200") == 1
        job = "/campaigns/codes/jobs/{jobId}"
        assert value(grown, count, method="GET", route=job, status="401") == 1
        assert not [labels for _, labels in grown if "made-up" in str(labels)]

    def test_the_cache_and_replays(
        self, client: FlaskClient, golden_client: FlaskClient, read: Callable[[], Samples]
    ) -> None:
        for _ in range(2):
            assert client.get(f"/api.php?{QUERY}&call=listPromoBatches").get_json()["success"]
        write = "call=addPromoCode&code=NEW&coupon_type=cart&type=percent&value=5"
        for _ in range(3):
            client.get(f"/api.php?{QUERY}&{write}&idempotency_key=k")
        grown = read()
        assert value(grown, "fragment_cache_misses_total") >= 1
        assert value(grown, "fragment_cache_hits_total") >= 1
        assert value(grown, "fragment_cache_bytes") > 0
        assert value(grown, "idempotent_replays_total", face="legacy") == 2

    def test_what_the_usage_log_drops_and_holds(self, store: Settings) -> None:
        app = create_app(
            Settings(database_url=store.database_url, usage_log_rows=1, usage_log_seconds=600)
        )
        client = app.test_client()
        before = samples(client.get("/metrics").text)
        for _ in range(5):
            client.get("/api.php")
        after = samples(client.get("/metrics").text)
        name = "usage_log_dropped_total"
        assert value(after, name) - value(before, name) == app.config["USAGE_LOG"].dropped > 0
        app.config["USAGE_LOG"].close()
