"""Fixtures: the shop that failures befall."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import stores
from tests.failure.shops import Shop, shop


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[Shop]:
    """Put a shop into a new store."""
    with shop(stores.url(tmp_path)) as made:
        yield made
