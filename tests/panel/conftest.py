"""Fixtures: a billing panel of our own, in PHP."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app import config, create_app
from models.store.base import database
from tests.panel.fronts import Front, register, settings_for
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


@pytest.fixture
def front(store: config.Settings, panel: PhpPanel, tmp_path: Path) -> Iterator[Front]:
    """Stand in front of a panel, whose pair is registered."""
    register(panel)
    app = create_app(replace(store, **settings_for(store, panel, tmp_path)))
    yield Front(app, panel, tmp_path)
    app.config["USAGE_LOG"].close()
    database.close_all()
