"""A shop on a store of its own: codes for both APIs, their clients, and what must always hold."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from app import db
from app.config import Settings
from models.access import accesses, secrets
from models.campaigns import campaign_making, campaigns
from models.campaigns.campaign_making import Plan
from models.checks import recount
from models.promotions.campaign_counts import Owner
from models.redemptions.redemption import Redemption
from models.store import schema
from models.store.base import database
from tests.concurrency.clients import batch_of
from tests.credentials import CREDENTIALS, PAIR
from tests.serving import Reply, Server, environment, request_bytes

AWAY = "The store cannot be reached, try again later"
COMMAND_SECONDS = 60
SLUG = "summer"


@dataclass
class Shop:
    """Hold a store with codes of both APIs, and ask a server for them."""

    url: str
    codes: list[str]
    campaign_codes: list[str]
    secret: str
    used: int = 0

    def ask(self, server: Server, name: str, /, **arguments: Any) -> Reply:
        """Make one legacy call."""
        return server.get(urlencode(CREDENTIALS | {"call": name} | arguments))

    def redeem(self, server: Server) -> Reply:
        """Use the first code once more; remember what was answered."""
        answer = self.ask(server, "redeemPromoCode", code=self.codes[0])
        if answer.status == 200 and answer.value["success"]:
            self.used += 1
        return answer

    def rest(self, server: Server, method: str, path: str, **fields: Any) -> Reply:
        """Make one request of the REST API."""
        headers = (f"X-API-Secret: {self.secret}", "Content-Type: application/json")
        body = json.dumps(fields).encode() if fields else b""
        return server.send(request_bytes(method, f"/v1{path}", *headers, body=body))

    def rest_redeem(self, server: Server, **more: Any) -> Reply:
        """Use a campaign code over REST; remember what was answered."""
        answer = self.rest(
            server,
            "POST",
            f"/campaigns/{SLUG}/redeem",
            code=self.campaign_codes[0],
            userId="u1",
            **more,
        )
        if answer.status < 300:
            self.used += 1
            self.campaign_codes.pop(0)
        return answer

    def assert_whole(self) -> None:
        """Compare the store with what was answered, and every kept count with a recount."""
        assert Redemption.select().count() == self.used
        assert list(recount.differences()) == []


@contextmanager
def shop(url: str) -> Iterator[Shop]:
    """Bind the models to a store, new if it is not there, and put a shop into it."""
    bound = db.bind(Settings(database_url=url))
    try:
        bound.connect()
        schema.require_current()
        accesses.add("tests", PAIR)
        owner = Owner()
        campaign = campaigns.add(owner, SLUG, "Summer")
        _, campaign_codes = campaign_making.generate(campaign, 20, Plan(1, None, None))
        _, codes = batch_of(20)
        _, text = secrets.add(owner, "tests")
        yield Shop(url, codes, campaign_codes, text)
    finally:
        database.close_all()


def command(
    folder: Path, url: str, *words: str, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a promobridge command over a store until it ends."""
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *words],
        cwd=folder,
        env=environment(folder, PROMOBRIDGE_DATABASE_URL=url),
        text=True,
        timeout=COMMAND_SECONDS,
        **({"capture_output": True} | options),
    )


def is_away(answer: Reply) -> bool:
    """Tell whether the store was away for a legacy call, which must have its envelope then."""
    if answer.status == 200:
        return False
    assert answer.status == 503
    assert answer.value["error"] == [AWAY]
    return True


def is_away_for_rest(answer: Reply) -> bool:
    """Tell whether the store was away for a REST request, which must have its envelope then."""
    if answer.status < 300:
        return False
    assert answer.status == 503, answer
    body = json.loads(answer.body)
    assert body == {
        "message": AWAY,
        "code": 503,
        "status": "error",
        "error": "store_unavailable",
    }
    return True
