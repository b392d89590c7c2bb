"""Fixtures: a billing panel of our own, in PHP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app import config
from tests.panel.php_panel import PhpPanel, running_panel
from tests.panel.walking import Walker, walker


@pytest.fixture
def panel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PhpPanel]:
    """Run a panel of this test alone."""
    folder: Path = tmp_path_factory.mktemp("panel")
    with running_panel(folder) as running:
        yield running


@pytest.fixture
def walking(panel: PhpPanel, store: config.Settings, tmp_path: Path) -> Walker:
    """Return the commands of a store that stands in front of the panel."""
    return walker(panel, tmp_path, store.database_url)
