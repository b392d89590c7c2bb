"""Unknown fields: documented bodies refuse slips of known ones alone, our own endpoints all."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.rest.conftest import SLUG, Caller

CODES = "/campaigns/codes"
GENERATE = {"slug": SLUG, "batchSize": 3, "pointsValue": 500}
SLIP = ["A slip: did you mean expiresAt?"]
UNKNOWN = "Is unknown."


def errors(answer: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = answer.get_json().get("errors", {})
    assert answer.status_code == (400 if found else 200)
    return found


@pytest.mark.parametrize("name", ["expireAt", "expires_at", "ExpiresAt", "epxiresAt"])
def test_a_documented_body_refuses_a_slip(live: Caller, name: str) -> None:
    body = GENERATE | {name: "2030-12-31T23:59:59Z"}
    assert errors(live.post(f"{CODES}/generate", body)) == {name: SLIP}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{CODES}/generate", GENERATE),
        (f"{CODES}/verify", {"code": "SUMM-AX7K9M2P"}),
    ],
)
def test_a_documented_body_may_have_other_fields(
    live: Caller, path: str, body: dict[str, Any]
) -> None:
    assert errors(live.post(path, body | {"locale": "en", "traceId": {"a": 1}})) == {}


def test_a_documented_body_of_redeem_too(live: Caller) -> None:
    (code,) = live.data(f"{CODES}/generate", GENERATE | {"batchSize": 1})["codes"]
    path, body = f"/campaigns/{SLUG}/redeem", {"userId": "user-1", "code": code}
    assert errors(live.post(path, body | {"user_id": "u"})) == {
        "user_id": ["A slip: did you mean userId?"]
    }
    assert errors(live.post(path, body | {"source": "shop"})) == {}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/campaigns", {"slug": "winter", "name": "Winter"}),
        (f"{CODES}/jobs", GENERATE),
        (f"{CODES}/import", {"slug": SLUG, "pointsValue": 5, "codes": ["A-1"]}),
        (f"{CODES}/revoke", {"code": "SUMM-AX7K9M2P"}),
        (f"{CODES}/reactivate", {"code": "SUMM-AX7K9M2P"}),
        (f"/campaigns/{SLUG}/redemptions/a1b2c3d4-e5f6-7890-abcd-ef1234567890/rollback", {}),
    ],
)
def test_our_own_bodies_refuse_what_they_do_not_know(
    live: Caller, path: str, body: dict[str, Any]
) -> None:
    found = errors(live.post(path, body | {"locale": "en"}))
    assert found == {"locale": [UNKNOWN]}


def test_our_own_body_names_what_was_meant(live: Caller) -> None:
    found = errors(live.post(f"{CODES}/jobs", GENERATE | {"expireAt": "x"}))
    assert found == {"expireAt": [UNKNOWN, *SLIP]}


def test_filters_that_are_none_are_refused(live: Caller) -> None:
    found = errors(live.get(CODES, slug=SLUG, state="ACTIVE", batch="7"))
    assert found == {
        "state": [UNKNOWN, "A slip: did you mean status?"],
        "batch": [UNKNOWN, "A slip: did you mean batchId?"],
    }
    assert errors(live.get(CODES, slug=SLUG, redeemedBy="user-1")) == {"redeemedBy": [UNKNOWN]}


@pytest.mark.parametrize("path", [f"{CODES}/batches", f"{CODES}/stats"])
def test_documented_lists_stay_tolerant(live: Caller, path: str) -> None:
    assert errors(live.get(path, slug=SLUG, pag="2", limits="3", other="4")) == {}


def test_names_of_clients_are_cut_and_printable(live: Caller) -> None:
    body = GENERATE | {"n" * 200: 1, "a\u0007\ud800\u202eb": 1}
    found = errors(live.post(f"{CODES}/jobs", body))
    assert found == {"n" * 40 + "…": [UNKNOWN], "a???b": [UNKNOWN]}


JOB = f"{CODES}/jobs/a1b2c3d4-e5f6-7890-abcd-ef1234567890"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/campaigns"),
        ("POST", f"{CODES}/jobs"),
        ("POST", f"{CODES}/import"),
        ("POST", f"{CODES}/revoke"),
        ("POST", f"{CODES}/reactivate"),
        ("POST", f"/campaigns/{SLUG}/redemptions/a1b2c3d4-e5f6-7890-abcd-ef1234567890/rollback"),
        ("GET", JOB),
        ("DELETE", JOB),
        ("GET", f"{JOB}/codes"),
    ],
)
def test_our_own_operations_refuse_a_query_that_nothing_reads(
    live: Caller, method: str, path: str
) -> None:
    answer = live.send(method, path, query_string={"dryRun": "1"}, json={})
    assert errors(answer) == {"dryRun": [UNKNOWN]}


@pytest.mark.parametrize("name", ["expiresAt", "expireAt", "pointsValue"])
def test_what_belongs_in_a_body_is_refused_in_the_query(live: Caller, name: str) -> None:
    meant = {"expireAt": "expiresAt"}.get(name, name)
    said = {name: [f"Is not read here: {meant} belongs in the body."]}
    for path in ("generate", "jobs"):
        assert errors(live.post(f"{CODES}/{path}?{name}=5", GENERATE)) == said


def test_a_documented_operation_ignores_another_query(live: Caller) -> None:
    assert errors(live.post(f"{CODES}/generate?utm_source=x&v=2", GENERATE)) == {}
    assert errors(live.post(f"{CODES}/verify?lang=en", {"code": "SUMM-AX7K9M2P"})) == {}
