"""A served store with an access, a secret and a campaign."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

import pytest

from models.access import secrets
from models.campaigns import campaigns
from models.promotions import coupons
from models.promotions.terms import Terms
from tests.app.rest.conftest import LIVE, SLUG
from tests.concurrency.clients import bound_store
from tests.serving import served


class Host(NamedTuple):
    """Hold where the service answers, and a secret of its REST API; PAIR is for the other."""

    url: str
    endpoint: str
    secret: str


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """Serve a store in which the code of the examples can be used."""
    folder = tmp_path_factory.mktemp("host")
    with bound_store(folder):
        campaigns.add(LIVE, SLUG, "Summer Promo 2025")
        _, secret = secrets.add(LIVE)
        coupons.add("SUMMER15", Terms.of(type="percent", value=Decimal(10)))
        with served(folder, "--workers", "1", command=("serve",)) as running:
            yield Host(running.endpoint.removesuffix("/admin/api.php"), running.endpoint, secret)
