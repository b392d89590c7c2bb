"""The pages in Chromium: all of them at both widths, and what people do most."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.app.ui.browser import axe
from tests.app.ui.browser.chromium import Browser, chromium
from tests.app.ui.browser.site import NAME, PASSWORD, Site, served_site
from tests.app.ui.crawl import Crawl

PHONE, LAPTOP = 360, 1280


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve a demo."""
    with served_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module")
def browser(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Return a browser that has logged in by the link of the demo."""
    with chromium(tmp_path_factory.mktemp("browser"), site.address) as browser:
        browser.go(urlsplit(site.made["login"]).path)
        browser.press("Log in")
        yield browser


def show_all(browser: Browser, look: list[str], library: str = "") -> list[str]:
    """Visit a page of each kind; return their addresses, and put what is wrong into `look`."""

    def visit(address: str) -> list[str]:
        browser.scheme("light")
        browser.width(LAPTOP)
        browser.go(address)
        links = browser.links()
        browser.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        look.extend(f"{address}: {line}" for line in browser.console())
        for width, scheme in ((LAPTOP, "light"), (PHONE, "dark")):
            browser.width(width)
            browser.scheme(scheme)
            if wider := browser.overflow():
                look.append(f"{address} at {width}: {wider} pixels too wide")
            if library:
                look.extend(f"{address}, {scheme}: {each}" for each in axe.faults(browser, library))
        return links

    return Crawl().run(visit)


def test_every_page_fits_is_sound_and_says_nothing_on_the_console(
    browser: Browser, tmp_path: Path
) -> None:
    wrong: list[str] = []
    show_all(browser, wrong, axe.source(tmp_path / "node"))
    assert not wrong, "\n".join(wrong)


def test_every_page_fits_without_javascript(site: Site, tmp_path: Path) -> None:
    with chromium(tmp_path, site.address, javascript=False) as browser:
        browser.go("/ui/log-in")
        browser.fill("Name", NAME)
        browser.fill("Password", PASSWORD)
        browser.press("Log in")
        wrong: list[str] = []
        show_all(browser, wrong)
        assert not wrong, "\n".join(wrong)
