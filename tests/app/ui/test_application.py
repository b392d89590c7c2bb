"""The pages are an application of their own under /ui."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.ui.application import create_pages
from app.ui.roles import need_of


def test_every_view_says_what_it_needs(app: Flask) -> None:
    views = create_pages(app.config).view_functions
    assert [name for name, view in views.items() if name != "static" and not need_of(view)] == []


def test_pages_bring_nothing_from_elsewhere(admin: FlaskClient) -> None:
    response = admin.get("/ui/nothing-here")
    assert response.status_code == 404
    assert response.headers["Content-Security-Policy"].startswith("default-src 'self'; ")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert b"<h1>Not Found</h1>" in response.data


@pytest.mark.parametrize("path", ["/uix", "/UI", "//ui/"])
def test_other_paths_are_the_api_s(client: FlaskClient, path: str) -> None:
    assert client.get(path).is_json


def test_static_files_are_kept_by_browsers(client: FlaskClient) -> None:
    response = client.get("/ui/static/pages.css")
    assert response.status_code == 200
    assert "max-age" in response.headers["Cache-Control"]
    response.close()
