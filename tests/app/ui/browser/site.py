"""A served demo with more than a page of codes, and people of its pages."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from tests.serving import Server, environment, served

FORM = "application/x-www-form-urlencoded"
BATCH, CODES = "Spring sale", 60
NAME, PASSWORD = "anna", "correct horse battery"
TERMS = {"coupon_type": "cart", "type": "percent", "value": "15", "max_usage": "1"}
SECONDS = 60


class Site(NamedTuple):
    """Hold a served demo and what it printed."""

    server: Server
    folder: Path
    made: dict[str, str]

    @property
    def address(self) -> str:
        """Return the URL without a path."""
        parts = urlsplit(self.made["url"])
        return f"{parts.scheme}://{parts.netloc}"

    def call(self, name: str, /, **arguments: str) -> dict[str, Any]:
        """Return the answer to a call of an integration."""
        pair = {key: self.made[key] for key in ("api_id", "api_key")}
        body = urlencode(pair | {"call": name} | arguments)
        return self.server.post(body.encode(), FORM).value

    def codes(self, batch: str) -> list[str]:
        """Return the codes of a batch."""
        batches = self.call("listPromoBatches")["batches"]
        (found,) = [each for each in batches if each["name"] == batch]
        return [coupon["code"] for coupon in found["coupons"]]

    def reason(self, code: str) -> str:
        """Return why a code cannot be used, "" where it can."""
        return str(self.call("validatePromoCode", code=code)["reason"])

    def add_user(self) -> None:
        """Make the admin NAME, who logs in with PASSWORD."""
        add = ("user", "add", NAME, "--role", "admin", "--password", "-")
        self.command(*add, typed=f"{PASSWORD}\n")

    def command(self, *words: str, typed: str = "") -> None:
        """Run a command over the store."""
        subprocess.run(
            [sys.executable, "-m", "app.cli", *words],
            cwd=self.folder,
            env=environment(self.folder),
            input=typed,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )


@contextmanager
def served_site(folder: Path) -> Iterator[Site]:
    """Serve a demo in which a batch has more codes than a page of them."""
    with served(folder, "--json", command=("demo", "--workers", "1")) as server:
        site = Site(server, folder, json.loads(server.first_line))
        site.command("webhook", "add", "https://shop.example/hooks", "--events", "all")
        site.call("addPromoBatch", name=BATCH, prefix="SPRING-", size=str(CODES), **TERMS)
        site.add_user()
        yield site
