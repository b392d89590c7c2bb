"""People of each role at the pages."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.app.ui.people import Person


@pytest.fixture
def viewer(app: Flask) -> Person:
    """Return a person who may look."""
    return Person(app, "viewer")


@pytest.fixture
def operator(app: Flask) -> Person:
    """Return a person who may change promotions."""
    return Person(app, "operator")


@pytest.fixture
def admin(app: Flask) -> Person:
    """Return a person who may change who may do what."""
    return Person(app, "admin")
