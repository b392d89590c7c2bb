"""Clients of the pages, each with the role of its name."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.ui.roles import ADMIN, OPERATOR, VIEWER, User


def client_of(app: Flask, role: str) -> FlaskClient:
    """Return a client of the application in which a person with this role is logged in."""
    app.config["SIGNED_IN"] = User("tester", role)
    return app.test_client()


@pytest.fixture
def viewer(app: Flask) -> FlaskClient:
    """Return a client that may look."""
    return client_of(app, VIEWER)


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    """Return a client that may change promotions."""
    return client_of(app, OPERATOR)


@pytest.fixture
def admin(app: Flask) -> FlaskClient:
    """Return a client that may change who may do what."""
    return client_of(app, ADMIN)
