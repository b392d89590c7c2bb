"""The pages are an application of their own under /ui."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app import create_app
from app.config import Settings
from models.people import users
from tests.app.ui.people import Person


def test_pages_bring_nothing_from_elsewhere(viewer: Person) -> None:
    response = viewer.get("/ui/nothing-here")
    assert response.status_code == 404
    assert response.headers["Content-Security-Policy"].startswith("default-src 'self'; ")
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert b"<h1>Not Found</h1>" in response.data


@pytest.mark.parametrize("things", ["batches", "codes", "campaigns"])
def test_an_id_that_no_store_can_hold_is_nothing_s(viewer: Person, things: str) -> None:
    for digits in (18, 19, 4_000):
        assert viewer.get(f"/ui/{things}/{'9' * digits}").status_code == 404


def test_there_are_no_pages_until_there_is_a_user(client: FlaskClient) -> None:
    paths = ("/ui", "/ui/", "/ui/log-in", "/ui/static/pages.css", "/ui/invite/x")
    assert {client.get(path).status_code for path in paths} == {404}
    users.add("anna", "viewer")
    assert client.get("/ui/log-in").status_code == 200


@pytest.mark.parametrize("path", ["/uix", "/UI", "//ui/"])
def test_other_paths_are_the_api_s(viewer: Person, path: str) -> None:
    assert viewer.get(path).is_json


@pytest.mark.parametrize(
    ("rules", "address", "status"),
    [("192.0.2.0/24", "192.0.2.7", 200), ("192.0.2.0/24", "198.51.100.1", 404), ("", "::1", 404)],
)
def test_pages_are_for_some_addresses(
    store: Settings, rules: str, address: str, status: int
) -> None:
    users.add("anna", "viewer")
    app = create_app(Settings(database_url=store.database_url, ui_from=rules))
    asked = {"REMOTE_ADDR": address}
    assert app.test_client().get("/ui/log-in", environ_base=asked).status_code == status
    app.config["USAGE_LOG"].close()


def test_static_files_are_kept_by_browsers(viewer: Person) -> None:
    response = viewer.get("/ui/static/pages.css")
    assert response.status_code == 200
    assert "max-age" in response.headers["Cache-Control"]
    response.close()
