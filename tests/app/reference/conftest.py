"""A served store with an access, a secret and a campaign."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urljoin

import pytest

from app.config import Settings
from models.access import accesses, secrets
from models.campaigns import campaigns
from models.promotions import coupons
from models.promotions.terms import Terms
from tests.app.rest.conftest import LIVE, SLUG
from tests.credentials import PAIR
from tests.serving import served


class Host(NamedTuple):
    """Hold where the service answers, and a secret of its REST API; PAIR is for the other."""

    url: str
    endpoint: str
    secret: str


@pytest.fixture
def host(store: Settings, tmp_path: Path) -> Iterator[Host]:
    """Serve a store in which the code of the examples can be used."""
    accesses.add("tests", PAIR)
    campaigns.add(LIVE, SLUG, "Summer Promo 2025")
    _, secret = secrets.add(LIVE)
    coupons.add("SUMMER15", Terms.of(type="percent", value=Decimal(10)))
    with served(tmp_path, "--workers", "1", command=("serve",)) as running:
        yield Host(urljoin(running.endpoint, "/").rstrip("/"), running.endpoint, secret)
