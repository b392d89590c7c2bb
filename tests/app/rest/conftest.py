"""Fixtures: a campaign, secrets of both environments, and a caller that reads as deeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from models.access import secrets
from models.campaigns import campaigns
from models.promotions.campaign_counts import Campaign, Owner
from models.store import visibility

LIVE = Owner()
TEST = Owner(visibility.TEST)
SLUG = "summer-promo"


@dataclass
class Caller:
    """Send requests with a secret; every answer is checked for the envelope."""

    client: FlaskClient
    secret: str | None

    def send(self, method: str, path: str, **options: Any) -> TestResponse:
        """Return the answer."""
        headers = options.pop("headers", {})
        if self.secret is not None:
            headers = {"X-API-Secret": self.secret} | headers
        answer = self.client.open(f"/v1{path}", method=method, headers=headers, **options)
        assert answer.headers["X-Request-Id"]
        if answer.content_type == "application/json" and method != "HEAD":
            envelope = answer.get_json()
            if answer.status_code < 300:
                assert list(envelope) == ["status", "data"]
                assert envelope["status"] == "success"
            else:
                assert list(envelope)[:4] == ["message", "code", "status", "error"]
                assert (envelope["code"], envelope["status"]) == (answer.status_code, "error")
        return answer

    def post(self, path: str, body: Any = None, **options: Any) -> TestResponse:
        """Post JSON."""
        return self.send("POST", path, json={} if body is None else body, **options)

    def get(self, path: str, **query: Any) -> TestResponse:
        """Get with a query."""
        return self.send("GET", path, query_string=query)

    def data(self, path: str, body: Any = None) -> Any:
        """Post and return what a success holds."""
        answer = self.post(path, body)
        assert answer.status_code in (200, 202), answer.data
        return answer.get_json()["data"]

    def read(self, path: str, **query: Any) -> Any:
        """Get and return what a success holds."""
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.data
        return answer.get_json()["data"]

    def generate(self, size: int = 1, points: int = 500, **more: Any) -> list[str]:
        """Return new codes of the campaign."""
        body = {"slug": SLUG, "batchSize": size, "pointsValue": points} | more
        return self.data("/campaigns/codes/generate", body)["codes"]

    def redeem(self, code: str, user: str = "user-1", slug: str = SLUG) -> TestResponse:
        """Redeem a code."""
        return self.post(f"/campaigns/{slug}/redeem", {"userId": user, "code": code})

    def verify(self, code: str) -> Any:
        """Return what is said about a code."""
        return self.data("/campaigns/codes/verify", {"code": code})


@pytest.fixture
def campaign(store: object) -> Campaign:
    """Make the campaign of the tests."""
    return campaigns.add(LIVE, SLUG, "Summer Promo 2025")


@pytest.fixture
def live(client: FlaskClient, campaign: Campaign) -> Caller:
    """Return a caller in LIVE."""
    return Caller(client, secrets.add(LIVE)[1])


@pytest.fixture
def test(client: FlaskClient) -> Caller:
    """Return a caller in TEST, where there is no campaign yet."""
    return Caller(client, secrets.add(TEST)[1])


@pytest.fixture
def nobody(client: FlaskClient) -> Caller:
    """Return a caller without a secret."""
    return Caller(client, None)
