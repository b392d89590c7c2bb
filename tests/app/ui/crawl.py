"""Every page that links lead to, one of each kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from tests.app.ui.people import Person

ROOT = "/ui/"
START = f"{ROOT}api"
"""A page with the links of every page."""
MOST = 80
"""More kinds of pages than there are: a crawl that does not end has lost its way."""
LEFT_OUT = re.compile(r"/static/|logout|log-out|\.(csv|json)$|csv")
"""What ends the session or is no page."""
IDS = re.compile(r"(?<=/)(\d+|[0-9a-f-]{36}|[0-9a-f]{20,})(?=/|$)")


def kind(address: str) -> str:
    """Return what pages that differ in the ids of their address, or in its query, share."""
    return IDS.sub("#", urlsplit(address).path)


class Crawl:
    """Follow links from START; of each kind of page the first is visited."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def run(self, links_of: Callable[[str], Iterable[str]]) -> list[str]:
        """Return the addresses in the order they were found; `links_of` visits one."""
        waiting = [START]
        self.found = {kind(START): START}
        while waiting:
            address = waiting.pop(0)
            for link in links_of(address):
                whole = urlsplit(urljoin(address, link))
                path = whole.path + (f"?{whole.query}" if whole.query else "")
                known = kind(path) in self.found
                if whole.path.startswith(ROOT) and not known and not LEFT_OUT.search(whole.path):
                    self.found[kind(path)] = path
                    waiting.append(path)
                    assert len(self.found) <= MOST, sorted(self.found)
        return [*self.found.values()]


def crawled(person: Person) -> list[str]:
    """Return the address of one page of each kind that a person is led to."""

    def links_of(address: str) -> list[str]:
        response = person.get(address, follow_redirects=True)
        assert response.status_code == 200, (address, response.status)
        return hrefs(response.text) if response.mimetype == "text/html" else []

    return Crawl().run(links_of)


def hrefs(page: str) -> list[str]:
    """Return where the links of a page lead."""
    links = _Links()
    links.feed(page)
    return links.found


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag == "a" and named.get("href") and "download" not in named:
            self.found.append(str(named["href"]))
