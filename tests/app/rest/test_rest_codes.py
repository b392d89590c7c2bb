"""The endpoints of campaign codes: exact answers, errors, and what each changes."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask

from app import create_app
from app.config import Settings
from models.access import secrets
from models.campaigns import campaigns
from models.promotions import batches, coupons, generation
from models.promotions.campaign_counts import Campaign
from models.promotions.coupons import Coupon
from models.promotions.terms import Terms
from models.store import clock
from tests.app.rest.conftest import LIVE, SLUG, TEST, Caller

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
GENERATE = {"slug": SLUG, "batchSize": 3, "pointsValue": 500}
CODES = "/campaigns/codes"


class TestSecrets:
    @pytest.mark.parametrize(
        ("secret", "status", "message"),
        [
            (None, 401, "Missing X-API-Secret header"),
            ("", 401, "Missing X-API-Secret header"),
            ("sk_live_" + "0" * 32, 401, "Invalid API key"),
            ("nonsense", 401, "Invalid API key"),
            ("\xff\xfe", 401, "Invalid API key"),
        ],
    )
    def test_a_wrong_secret(
        self, nobody: Caller, secret: str | None, status: int, message: str
    ) -> None:
        nobody.secret = secret
        answer = nobody.get(f"{CODES}/stats", slug=SLUG)
        body = answer.get_json()
        assert (answer.status_code, body["message"]) == (status, message)
        assert "data" not in body

    def test_a_revoked_and_an_inactive_one(self, live: Caller) -> None:
        secret = secrets.listed()[0]
        secrets.activate(secret.id, False)
        assert live.get(f"{CODES}/stats").get_json()["message"] == "Application is not active"
        secrets.revoke(secret.id)
        answer = live.get(f"{CODES}/stats")
        assert answer.status_code == 403
        assert answer.get_json()["message"] == "API key has been revoked"

    def test_the_secret_is_checked_before_the_body(self, nobody: Caller) -> None:
        options = {"data": b"x" * 9_000_000, "content_type": "text/plain"}
        assert nobody.send("POST", f"{CODES}/generate", **options).status_code == 401

    def test_the_store_keeps_digests_only(self, live: Caller) -> None:
        secret = secrets.listed()[0]
        assert live.secret
        assert live.secret not in str(secret.__data__)
        assert secret.hint == live.secret[-4:]


class TestGenerate:
    def test_the_answer_is_the_documented_one(self, live: Caller, still_time: int) -> None:
        body = GENERATE | {"label": "In-store promo cards", "expiresAt": "2030-12-31T23:59:59Z"}
        data = live.data(f"{CODES}/generate", body)
        batch = data.pop("batch")
        codes = data.pop("codes")
        assert UUID.fullmatch(batch.pop("id"))
        assert UUID.fullmatch(batch.pop("campaignId"))
        assert batch == {
            "batchSize": 3,
            "pointsValue": 500,
            "label": "In-store promo cards",
            "expiresAt": "2030-12-31T23:59:59Z",
            "createdAt": "2023-11-14T22:13:20Z",
        }
        assert data == {"count": 3, "gameUrl": f"https://app.gamifyhost.com/campaign/{SLUG}"}
        assert len(set(codes)) == 3
        for code in codes:
            assert re.fullmatch(r"SUMM-[A-HJKMNP-Z2-9]{8}", code)

    def test_what_is_unset_is_null(self, live: Caller) -> None:
        batch = live.data(f"{CODES}/generate", GENERATE | {"unknown": 1})["batch"]
        assert (batch["label"], batch["expiresAt"]) == (None, None)

    def test_as_csv(self, live: Caller) -> None:
        answer = live.post(f"{CODES}/generate", GENERATE, headers={"Accept": "text/csv"})
        assert answer.content_type == "text/csv; charset=utf-8"
        head, *codes = answer.text.split()
        assert (head, len(codes)) == ("code", 3)

    @pytest.mark.parametrize(
        ("changed", "field"),
        [
            ({"slug": None}, "slug"),
            ({"slug": "codes"}, "slug"),
            ({"slug": "Summer"}, "slug"),
            ({"slug": "summer-promo\n"}, "slug"),
            ({"slug": 5}, "slug"),
            ({"batchSize": 0}, "batchSize"),
            ({"batchSize": 10_001}, "batchSize"),
            ({"batchSize": "5"}, "batchSize"),
            ({"batchSize": True}, "batchSize"),
            ({"batchSize": 1.5}, "batchSize"),
            ({"batchSize": 1e400}, "body"),
            ({"pointsValue": 0}, "pointsValue"),
            ({"pointsValue": 2**31}, "pointsValue"),
            ({"label": "\0"}, "label"),
            ({"label": "\ud800"}, "label"),
            ({"label": "x" * 256}, "label"),
            ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
            ({"expiresAt": "2030-02-30T00:00:00Z"}, "expiresAt"),
            ({"expiresAt": "2030-01-01"}, "expiresAt"),
            ({"expiresAt": "2030-01-01T00:00:00"}, "expiresAt"),
            ({"expiresAt": 1900000000}, "expiresAt"),
        ],
    )
    def test_a_wrong_field_is_named(
        self, live: Caller, changed: dict[str, Any], field: str
    ) -> None:
        answer = live.post(f"{CODES}/generate", GENERATE | changed)
        body = answer.get_json()
        assert (answer.status_code, body["message"]) == (400, "Invalid request body")
        assert (body["error"], list(body["errors"])) == ("invalid_request", [field])
        assert Coupon.select().count() == 0

    @pytest.mark.parametrize(
        ("text", "media_type", "status"),
        [
            ("", "application/json", 400),
            ("{", "application/json", 400),
            ("[]", "application/json", 400),
            ("NaN", "application/json", 400),
            ('{"slug":"a","slug":"b"}', "application/json", 400),
            ("[" * 100_000, "application/json", 400),
            (b"\xff", "application/json", 400),
            ("slug=summer-promo", "application/x-www-form-urlencoded", 415),
            ("{}", "text/plain", 415),
            ("{}", "application/problem+json", 400),
        ],
    )
    def test_a_body_that_is_none(
        self, live: Caller, text: str, media_type: str, status: int
    ) -> None:
        answer = live.send("POST", f"{CODES}/generate", data=text, content_type=media_type)
        assert answer.status_code == status

    def test_a_body_that_ends_too_early(self, live: Caller) -> None:
        answer = live.send(
            "POST",
            f"{CODES}/verify",
            data=b'{"code": "x"}',
            content_type="application/json",
            environ_overrides={"CONTENT_LENGTH": "50"},
        )
        assert answer.status_code == 400
        assert answer.get_json()["errors"] == {"body": ["ends too early"]}

    def test_a_name_given_twice_in_the_query_of_a_post(self, live: Caller) -> None:
        answer = live.post(f"{CODES}/verify?a=1&a=2", {"code": "x"})
        assert (answer.status_code, list(answer.get_json()["errors"])) == (400, ["a"])

    def test_a_body_over_the_limit(self, live: Caller) -> None:
        answer = live.send(
            "POST", f"{CODES}/generate", data=b"x" * 9_000_000, content_type="application/json"
        )
        assert (answer.status_code, answer.get_json()["error"]) == (413, "body_too_large")

    def test_an_unknown_campaign(self, live: Caller) -> None:
        answer = live.post(f"{CODES}/generate", GENERATE | {"slug": "winter"})
        assert answer.status_code == 404
        assert answer.data == (
            b'{"message":"Campaign not found","code":404,"status":"error",'
            b'"error":"campaign_not_found"}'
        )


class TestVerify:
    def test_an_active_and_a_redeemed_code(self, live: Caller) -> None:
        (code,) = live.generate()
        expected = {
            "valid": True,
            "status": "ACTIVE",
            "pointsValue": 500,
            "campaignName": "Summer Promo 2025",
            "campaignSlug": SLUG,
            "expired": False,
            "message": "Code is valid and redeemable",
        }
        assert live.verify(code) == live.verify(f" {code.lower()} ") == expected
        live.redeem(code)
        assert live.verify(code) == expected | {
            "valid": False,
            "status": "REDEEMED",
            "message": "Code status is REDEEMED",
        }

    @pytest.mark.parametrize("code", ["SUMM-AAAAAAAA", "x", "\N{SNOWMAN}", "-", "x" * 255])
    def test_an_unknown_one(self, live: Caller, code: str) -> None:
        assert live.verify(code) == {
            "valid": False,
            "status": "",
            "pointsValue": 0,
            "campaignName": "",
            "campaignSlug": "",
            "expired": False,
            "message": "Code not found",
        }

    def test_a_code_of_another_environment_reads_like_an_unknown_one(
        self, live: Caller, test: Caller
    ) -> None:
        (code,) = live.generate()
        assert test.verify(code) == test.verify("SUMM-AAAAAAAA")

    def test_an_expired_and_a_revoked_one(
        self, live: Caller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, second = live.generate(2, expiresAt="2030-01-01T00:00:00Z")
        live.data(f"{CODES}/revoke", {"code": first})
        late = int(datetime(2030, 1, 1, tzinfo=UTC).timestamp())
        monkeypatch.setattr(clock, "now", lambda: late)
        assert live.verify(second)["message"] == "Code status is EXPIRED"
        assert live.verify(first)["message"] == "Code status is REVOKED"

    @pytest.mark.parametrize(
        ("changes", "message", "expired"),
        [
            ({"status": "paused"}, "Campaign is not active", False),
            ({"starts_at": 4_000_000_000}, "Campaign is not active", False),
            ({"status": "ended"}, "Campaign has ended", True),
            ({"ends_at": 1}, "Campaign has ended", True),
        ],
    )
    def test_a_campaign_that_does_not_run(
        self, live: Caller, changes: dict[str, Any], message: str, expired: bool
    ) -> None:
        (code,) = live.generate()
        campaigns.edit(LIVE, SLUG, **changes)
        said = live.verify(code)
        assert (said["valid"], said["status"]) == (False, "ACTIVE")
        assert (said["message"], said["expired"]) == (message, expired)
        answer = live.redeem(code)
        assert answer.status_code == 404
        assert answer.get_json()["message"] == "Campaign not found or not active"


class TestLists:
    def test_batches_come_newest_first(self, live: Caller) -> None:
        for points in range(1, 8):
            live.generate(points=points)
        page = live.read(f"{CODES}/batches", slug=SLUG, page=2, limit=3)
        assert [batch["pointsValue"] for batch in page.pop("batches")] == [4, 3, 2]
        assert page == {"total": 7, "page": 2, "limit": 3}
        assert live.read(f"{CODES}/batches", slug=SLUG, page=4, limit=3)["batches"] == []
        assert live.read(f"{CODES}/batches", slug=SLUG)["limit"] == 20

    def test_the_links_of_a_page_hold_the_list_still(self, live: Caller) -> None:
        for points in range(1, 6):
            live.generate(points=points)
        answer = live.get(f"{CODES}/batches", slug=SLUG, limit=2)
        seen = [batch["pointsValue"] for batch in answer.get_json()["data"]["batches"]]
        while follow := re.search(r'<([^>]*)>; rel="next"', answer.headers["Link"]):
            live.generate(points=99)
            answer = live.send("GET", follow[1].removeprefix("/v1"))
            data = answer.get_json()["data"]
            seen += [batch["pointsValue"] for batch in data["batches"]]
            assert data["total"] == 5
        assert seen == [5, 4, 3, 2, 1]

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({}, "slug"),
            ({"slug": SLUG, "limit": "0"}, "limit"),
            ({"slug": SLUG, "limit": "101"}, "limit"),
            ({"slug": SLUG, "limit": "abc"}, "limit"),
            ({"slug": SLUG, "limit": "٣"}, "limit"),
            ({"slug": SLUG, "page": "0"}, "page"),
            ({"slug": SLUG, "page": "-1"}, "page"),
            ({"slug": SLUG, "page": "1e3"}, "page"),
            ({"slug": SLUG, "page": "9" * 30}, "page"),
            ({"slug": [SLUG, SLUG]}, "slug"),
        ],
    )
    def test_a_wrong_query(self, live: Caller, query: dict[str, str], field: str) -> None:
        answer = live.get(f"{CODES}/batches", **query)
        assert answer.status_code == 400
        assert list(answer.get_json()["errors"]) == [field]

    def test_the_stats_add_up(self, live: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
        ending = live.generate(5, expiresAt="2030-01-01T00:00:00Z")
        codes = live.generate(5)
        live.redeem(ending[0])
        live.redeem(codes[0])
        live.data(f"{CODES}/revoke", {"code": ending[1]})
        before = live.read(f"{CODES}/stats", slug=SLUG)
        assert before == {
            "totalCodes": 10,
            "activeCodes": 7,
            "redeemedCodes": 2,
            "expiredCodes": 0,
            "revokedCodes": 1,
            "totalBatches": 2,
        }
        late = int(datetime(2030, 1, 1, tzinfo=UTC).timestamp())
        monkeypatch.setattr(clock, "now", lambda: late)
        assert live.read(f"{CODES}/stats", slug=SLUG) == before | {
            "activeCodes": 4,
            "expiredCodes": 3,
        }

    def test_codes_are_masked(self, live: Caller) -> None:
        codes = live.generate(3)
        live.redeem(codes[1], "user-7")
        page = live.read(CODES, slug=SLUG, limit=2)
        assert [line["code"] for line in page["codes"]] == [
            f"SUMM-******{code[-2:]}" for code in codes[:2]
        ]
        used = page["codes"][1]
        assert (used["status"], used["redeemedBy"]) == ("REDEEMED", "user-7")
        assert UUID.fullmatch(used["redemptionId"])
        rest = live.read(CODES, slug=SLUG, limit=2, cursor=page["nextCursor"])
        assert len(rest["codes"]) == 1
        assert rest["nextCursor"] is None
        picked = live.read(CODES, slug=SLUG, batchId=used["batchId"], status="REDEEMED")
        assert picked["codes"] == [used]

    @pytest.mark.parametrize("user", ["=1+1", "  =1", "\N{FULLWIDTH EQUALS SIGN}1"])
    def test_the_export_defuses_formulas(self, live: Caller, user: str) -> None:
        codes = live.generate(2)
        live.redeem(codes[0], user)
        batch = live.read(CODES, slug=SLUG)["codes"][0]["batchId"]
        answer = live.get(f"{CODES}/export", slug=SLUG, batchId=batch)
        lines = answer.text.split("\r\n")
        assert lines[0].startswith("code,batchId,status,")
        assert f",'{user}," in lines[1]
        assert lines[2].startswith(f"SUMM-******{codes[1][-2:]},{batch},ACTIVE,500,,,,")


class TestRedeem:
    def test_the_answer(self, live: Caller) -> None:
        first, second = live.generate(2)
        live.redeem(first)
        data = live.redeem(second).get_json()["data"]
        assert UUID.fullmatch(data.pop("redemptionId"))
        assert data == {
            "pointsEarned": 500,
            "pointsAwarded": 500,
            "totalPoints": 1000,
            "code": second,
            "status": "REDEEMED",
            "message": "Code redeemed successfully",
        }

    def test_a_second_time(self, live: Caller) -> None:
        (code,) = live.generate()
        live.redeem(code)
        answer = live.redeem(code, "user-2")
        assert answer.data == (
            b'{"message":"Code status is REDEEMED","code":409,"status":"error",'
            b'"error":"code_redeemed"}'
        )

    def test_what_is_not_there(self, live: Caller, test: Caller) -> None:
        (code,) = live.generate()
        campaigns.add(LIVE, "winter", "Winter")
        campaigns.add(TEST, SLUG, "Summer")
        for answer in (
            live.redeem("SUMM-AAAAAAAA"),
            live.redeem(code, slug="winter"),
            test.redeem(code),
        ):
            assert (answer.status_code, answer.get_json()["message"]) == (404, "Code not found")
        for slug in ("autumn", "codes", "A%20b"):
            answer = live.redeem(code, slug=slug)
            assert answer.status_code == 404
            assert answer.get_json()["message"] == "Campaign not found or not active"

    def test_a_rollback(self, live: Caller) -> None:
        (code,) = live.generate()
        redemption = live.redeem(code).get_json()["data"]["redemptionId"]
        path = f"/campaigns/{SLUG}/redemptions/{redemption}/rollback"
        assert live.data(path) == {
            "redemptionId": redemption,
            "userId": "user-1",
            "pointsRolledBack": 500,
            "totalPoints": 0,
            "code": code,
            "status": "ACTIVE",
            "message": "Redemption rolled back successfully",
        }
        assert live.post(path).status_code == 409
        assert live.verify(code)["valid"] is True
        assert live.post(path.replace(redemption[:8], "0" * 8)).status_code == 404

    def test_a_code_of_both_apis(self, live: Caller, campaign: Campaign) -> None:
        from models.campaigns import campaign_making

        batch = batches.add("Spring", Terms.of(max_usage=1), length=12, requested=1)
        generation.fill(batch, lambda count: None)
        joined = campaign_making.join(campaign, batch.id, 50, UTC)
        (code,) = campaign_making.codes_of(joined)
        assert live.redeem(code).status_code == 200
        assert coupons.by_code(code).num_usage == 1


class TestRevoke:
    def test_a_batch(self, live: Caller) -> None:
        codes = live.generate(3)
        live.redeem(codes[0])
        batch = live.read(CODES, slug=SLUG)["codes"][0]["batchId"]
        assert live.data(f"{CODES}/revoke", {"batchId": batch}) == {
            "count": 2,
            "status": "REVOKED",
            "message": "Codes revoked successfully",
        }
        assert live.redeem(codes[1]).get_json()["message"] == "Code status is REVOKED"
        assert live.data(f"{CODES}/reactivate", {"batchId": batch})["count"] == 2
        assert live.redeem(codes[1]).status_code == 200

    @pytest.mark.parametrize(
        "body", [{}, {"code": "x", "batchId": "a1b2c3d4-e5f6-7890-abcd-ef1234567890"}]
    )
    def test_one_of_code_and_batch_is_needed(self, live: Caller, body: dict[str, str]) -> None:
        assert live.post(f"{CODES}/revoke", body).status_code == 400

    def test_what_is_not_there_or_not_so(self, live: Caller, test: Caller) -> None:
        (code,) = live.generate()
        batch = live.read(CODES, slug=SLUG)["codes"][0]["batchId"]
        assert test.post(f"{CODES}/revoke", {"code": code}).status_code == 404
        assert test.post(f"{CODES}/revoke", {"batchId": batch}).status_code == 404
        assert live.post(f"{CODES}/reactivate", {"code": code}).status_code == 409


class TestImport:
    def test_own_codes(self, live: Caller) -> None:
        body = {"slug": SLUG, "pointsValue": 5, "codes": ["Own-1", "own-2"]}
        data = live.data(f"{CODES}/import", body)
        assert (data["count"], data["rejected"]) == (2, [])
        assert live.redeem("OWN 1").get_json()["data"]["code"] == "Own-1"

    def test_clashes_are_named_by_line(self, live: Caller) -> None:
        body = {"slug": SLUG, "pointsValue": 5, "codes": ["own-1"]}
        live.data(f"{CODES}/import", body)
        body["codes"] = ["new-1", "OWN1", "new-1"]
        answer = live.post(f"{CODES}/import", body)
        assert answer.status_code == 409
        assert answer.get_json()["errors"] == {
            "codes.1": ["exists already"],
            "codes.2": ["is in the list twice"],
        }
        data = live.data(f"{CODES}/import", body | {"skipRejected": True})
        assert data["count"] == 1
        assert [each["line"] for each in data["rejected"]] == [2, 3]

    @pytest.mark.parametrize("code", ["x", "x" * 32, "x" + "-" * 31, "-" * 31 + "x", "!~0"])
    def test_what_is_one(self, live: Caller, code: str) -> None:
        body = {"slug": SLUG, "pointsValue": 5, "codes": [code]}
        assert live.data(f"{CODES}/import", body)["count"] == 1

    def test_blanks_around_one_are_trimmed(self, live: Caller) -> None:
        body = {"slug": SLUG, "pointsValue": 5, "codes": ["  Own-1 "]}
        assert live.data(f"{CODES}/import", body)["count"] == 1
        assert live.redeem("Own-1").get_json()["data"]["code"] == "Own-1"

    @pytest.mark.parametrize("code", ["", " ", "a b", "é", "x" * 33, "-", "-" * 32, 5])
    def test_what_is_no_code(self, live: Caller, code: Any) -> None:
        body = {"slug": SLUG, "pointsValue": 5, "codes": ["ok", code]}
        answer = live.post(f"{CODES}/import", body)
        assert list(answer.get_json()["errors"]) == ["codes.1"]


class TestCampaigns:
    def test_one_is_made_in_the_environment_of_the_secret(self, test: Caller) -> None:
        body = {"slug": "winter", "name": "Winter", "endsAt": "2030-01-01T00:00:00+01:00"}
        data = test.data("/campaigns", body)
        assert UUID.fullmatch(data.pop("id"))
        data.pop("createdAt")
        assert data == {
            "slug": "winter",
            "name": "Winter",
            "status": "ACTIVE",
            "environment": "TEST",
            "startsAt": None,
            "endsAt": "2029-12-31T23:00:00Z",
        }
        assert test.post("/campaigns", body).status_code == 409

    @pytest.mark.parametrize("slug", ["codes", "a", "-a", "A1", "a_b", "x" * 64])
    def test_a_slug_that_is_none(self, test: Caller, slug: str) -> None:
        answer = test.post("/campaigns", {"slug": slug, "name": "N"})
        assert list(answer.get_json()["errors"]) == ["slug"]


class TestEnvelope:
    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "/", 404),
            ("GET", "/nothing", 404),
            ("GET", "/campaigns/codes/stats/", 404),
            ("GET", "/campaigns/codes/generate", 405),
            ("OPTIONS", "/campaigns/codes/generate", 405),
            ("DELETE", "/campaigns/codes", 405),
        ],
    )
    def test_paths_and_methods_without_a_route(
        self, nobody: Caller, method: str, path: str, status: int
    ) -> None:
        answer = nobody.send(method, path)
        assert answer.status_code == status
        assert answer.content_type == "application/json"
        assert ("Allow" in answer.headers) is (status == 405)

    def test_the_legacy_face_keeps_its_own(self, client: Any) -> None:
        assert client.get("/v10").get_json()["success"] is False

    def test_a_store_that_is_away(self, live: Caller, app: Flask, settings: Settings) -> None:
        from models.store.base import database

        database.execute_sql("DROP TABLE secret")
        answer = live.get(f"{CODES}/stats", slug=SLUG)
        assert (answer.status_code, answer.get_json()["error"]) == (503, "store_unavailable")
        assert answer.headers["Retry-After"]


class TestIdempotency:
    def test_an_answer_is_given_again(self, live: Caller) -> None:
        key = {"Idempotency-Key": "k1"}
        first = live.post(f"{CODES}/generate", GENERATE, headers=key)
        again = live.post(f"{CODES}/generate", GENERATE, headers=key)
        assert first.data == again.data
        assert Coupon.select().count() == 3
        other = live.post(f"{CODES}/generate", GENERATE | {"batchSize": 4}, headers=key)
        assert other.status_code == 422
        assert other.get_json()["message"] == "Idempotency-Key was used with other parameters"

    def test_a_refusal_is_kept_and_wrong_fields_are_not(self, live: Caller) -> None:
        (code,) = live.generate()
        key = {"Idempotency-Key": "k2"}
        body = {"userId": "u", "code": code}
        campaigns.edit(LIVE, SLUG, status="paused")
        path = f"/campaigns/{SLUG}/redeem"
        assert live.post(path, {"userId": "u"}, headers=key).status_code == 400
        assert live.post(path, body, headers=key).status_code == 404
        campaigns.edit(LIVE, SLUG, status="active")
        assert live.post(path, body, headers=key).status_code == 404
        assert live.post(path, body, headers={"Idempotency-Key": "k3"}).status_code == 200

    def test_csv_comes_again_as_csv(self, live: Caller) -> None:
        headers = {"Idempotency-Key": "k4", "Accept": "text/csv"}
        first = live.post(f"{CODES}/generate", GENERATE, headers=headers)
        again = live.post(f"{CODES}/generate", GENERATE, headers=headers)
        assert (again.data, again.content_type) == (first.data, first.content_type)

    @pytest.mark.parametrize("key", ["", "x" * 256])
    def test_a_key_that_is_none(self, live: Caller, key: str) -> None:
        answer = live.post(f"{CODES}/generate", GENERATE, headers={"Idempotency-Key": key})
        assert answer.status_code == 400

    def test_environments_have_keys_of_their_own(self, live: Caller, test: Caller) -> None:
        campaigns.add(TEST, SLUG, "Summer")
        key = {"Idempotency-Key": "k5"}
        one = live.post(f"{CODES}/generate", GENERATE, headers=key)
        other = test.post(f"{CODES}/generate", GENERATE, headers=key)
        assert one.data != other.data


class TestThrottle:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return Settings(
            database_url=settings.database_url,
            wrong_credentials_per_minute=3,
            wrong_codes_per_minute=3,
            wrong_codes_of_caller_per_minute=9,
        )

    def test_wrong_secrets(self, live: Caller, nobody: Caller) -> None:
        nobody.secret = "sk_live_" + "0" * 32
        statuses = [nobody.get(f"{CODES}/stats", slug=SLUG).status_code for _ in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        answer = nobody.get(f"{CODES}/stats", slug=SLUG)
        assert 1 <= int(answer.headers["Retry-After"]) <= 300
        assert answer.get_json()["error"] == "too_many_requests"
        assert live.get(f"{CODES}/stats", slug=SLUG).status_code == 200

    def test_wrong_codes_of_one_user_do_not_slow_another(self, live: Caller) -> None:
        (first,) = live.generate()
        statuses = [live.redeem("SUMM-AAAAAAAA").status_code for _ in range(5)]
        assert statuses == [404, 404, 404, 429, 429]
        assert live.redeem(first).status_code == 429
        assert live.redeem(first, "user-2").status_code == 200

    def test_wrong_codes_asked_about(self, live: Caller, client: Any) -> None:
        (code,) = live.generate()
        other = Caller(client, secrets.add(LIVE)[1])
        path = f"{CODES}/verify"
        statuses = [live.post(path, {"code": "no"}).status_code for _ in range(10)]
        assert statuses == [200] * 9 + [429]
        assert live.post(path, {"code": code}).status_code == 429
        assert other.post(path, {"code": code}).status_code == 200


def test_the_game_url_is_a_setting(store: Settings, campaign: Campaign) -> None:
    made = create_app(Settings(database_url=store.database_url, game_url="https://play.test/"))
    caller = Caller(made.test_client(), secrets.add(LIVE)[1])
    data = caller.data(f"{CODES}/generate", GENERATE)
    assert data["gameUrl"] == f"https://play.test/campaign/{SLUG}"
