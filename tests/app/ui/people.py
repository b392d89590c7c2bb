"""A person at a browser: logs in, and sends forms with the token that their page brought."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from models.people import invites

TOKEN = re.compile(
    rb'name="csrf_token" type="hidden" value="([^"]+)"|name="csrf_token" value="([^"]+)"'
)

REVISION = re.compile(rb'name="revision" value="([^"]*)"')


class Person:
    """Hold a client of the pages, logged in with a role through a one-time link."""

    def __init__(self, app: Flask, role: str, name: str = "") -> None:
        self.client = app.test_client()
        self.name = name or f"the {role}"
        link = f"/ui/invite/{invites.one_time_login(self.name, role)}"
        assert self.post(link).status_code == 303

    def get(self, path: str, **options: Any) -> TestResponse:
        """Ask for a page."""
        return self.client.get(path, **options)

    def text(self, path: str, status: int = 200) -> str:
        """Return the text of a page, which must have this status."""
        response = self.client.get(path)
        assert response.status_code == status, response.text
        return unescape(response.text)

    def post(self, path: str, data: dict[str, Any] | None = None, at: str = "") -> TestResponse:
        """Send a form of the page `at`, else of the page of the same path, with what it hides."""
        page = self.client.get(at or path).data
        hidden = {"csrf_token": token_in(page)}
        if found := REVISION.search(page):
            hidden["revision"] = found[1].decode()
        return self.client.post(path, data=hidden | (data or {}))


def token_in(page: bytes) -> str:
    """Return the token against forgery of a page."""
    found = TOKEN.search(page)
    assert found, page.decode()
    return (found[1] or found[2]).decode()
