"""The pages in Chromium, with JavaScript and without: all of them, and what people do most."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from app.cli import demo_data
from tests.app.ui.browser import axe
from tests.app.ui.browser.chromium import Browser, chromium
from tests.app.ui.browser.site import BATCH, CODES, NAME, PASSWORD, Site, served_site
from tests.app.ui.crawl import Crawl

PHONE, LAPTOP = 360, 1280
AGAIN = "/ui/log-in/again"
"""A page that no link leads to."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve a demo."""
    with served_site(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="module", params=[True, False], ids=["javascript", "plain"])
def browser(
    site: Site, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Browser]:
    """Return a browser that has logged in: by the link of the demo, or by name and password."""
    folder = tmp_path_factory.mktemp("browser")
    with chromium(folder, site.address, javascript=request.param) as browser:
        if request.param:
            browser.go(urlsplit(site.made["login"]).path)
        else:
            browser.go("/ui/log-in")
            browser.fill("Name", NAME)
            browser.fill("Password", PASSWORD)
        assert not faults(browser, "")
        browser.press("Log in")
        yield browser


def faults(browser: Browser, library: str) -> list[str]:
    """Return what is wrong with the page at both widths, light and dark."""
    found = browser.console()
    browser.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    for width, scheme in ((LAPTOP, "light"), (PHONE, "dark")):
        browser.width(width)
        browser.scheme(scheme)
        if wider := browser.overflow():
            found.append(f"at {width}: {wider} pixels too wide")
        if library:
            found += [f"{scheme}: {fault}" for fault in axe.faults(browser, library)]
    return found


def test_every_page_fits_is_sound_and_says_nothing_on_the_console(
    browser: Browser, tmp_path: Path
) -> None:
    library = axe.source(tmp_path / "node") if browser.javascript else ""
    wrong: list[str] = []

    def visit(address: str) -> list[str]:
        browser.go(address)
        links = browser.links()
        wrong.extend(f"{address}: {fault}" for fault in faults(browser, library))
        return links

    Crawl().run(visit)
    visit(AGAIN)
    browser.width(LAPTOP)
    assert not wrong, "\n".join(wrong)


def test_why_a_code_was_refused_is_found_at_once(browser: Browser) -> None:
    browser.go("/ui/")
    box = browser.driver.switch_to.active_element
    box.send_keys(f" {demo_data.CODE.lower()} ")
    browser.leave(partial(box.send_keys, Keys.ENTER))
    assert demo_data.CODE in browser.text
    browser.see("Used 3 of 10")
    browser.fill("Client number", "7")
    tries = browser.text.partition("Refused tries\nWhen")[2]
    assert "7 The promotion code is for new clients only" in tries
    browser.press("Ask")
    browser.see("No. The promotion code is for new clients only.")
    browser.see("This client has bought before.")


def test_a_batch_is_generated_after_a_look_at_ten(browser: Browser) -> None:
    browser.go("/ui/batches")
    browser.follow("Generate a batch")
    browser.fill("Name", "Autumn")
    browser.fill("How many codes", "12")
    browser.fill("Codes begin with", "AUT-")
    browser.fill("Discount", "250")
    browser.press("Show ten of them first")
    browser.see("must be 100 at most when type is percent")
    assert browser.field("Name").get_attribute("value") == "Autumn"
    browser.fill("Discount", "25")
    browser.press("Show ten of them first")
    browser.see("25 % off")
    assert browser.text.count("AUT-") == 10
    browser.press("Make 12 codes")
    browser.see("12 codes were made.")
    assert browser.text.count("AUT-") == 12


def test_codes_are_stopped_by_a_pasted_list_and_brought_back(browser: Browser, site: Site) -> None:
    codes = site.codes(BATCH)[:3]
    browser.go("/ui/stop")
    browser.fill("Codes, one a line", "\n".join([*map(str.lower, codes), "NOTHING-LIKE-IT"]))
    browser.fill("Why are they stopped?", "leaked")
    browser.press("Show what would happen")
    browser.see("3 found, 1 unknown, 0 used already")
    browser.press("Stop 3 codes")
    browser.see("leaked")
    assert {site.reason(code) for code in codes} == {"code_inactive"}
    browser.press("Undo")
    browser.see("Codes that can be used again: 3.")
    assert {site.reason(code) for code in codes} == {""}


def test_a_use_is_given_back_with_a_reason(browser: Browser, site: Site) -> None:
    code = site.codes(BATCH)[-1]
    site.call("redeemPromoCode", code=code, client_id="7", order_id="9")
    assert site.reason(code) == "code_used_up"
    browser.go("/ui/redemptions")
    browser.fill("Client", "7")
    browser.press("Show")
    browser.see("1 use")
    browser.leave(browser.driver.find_element(By.CSS_SELECTOR, "main td a, main th a").click)
    browser.fill(browser.driver.find_element(By.CSS_SELECTOR, "main form label").text, "by mistake")
    browser.press("Give it back")
    browser.see("Released")
    assert site.reason(code) == ""


def test_the_codes_of_a_batch_are_downloaded(browser: Browser) -> None:
    browser.go("/ui/batches")
    browser.follow(BATCH)
    lines = browser.download("CSV of codes").splitlines()
    assert len([line for line in lines if "SPRING-" in line]) == CODES


def test_a_batch_is_stopped_and_made_active_again(browser: Browser, site: Site) -> None:
    code = site.codes("XOXO")[0]
    before = site.reason(code)
    browser.go("/ui/batches")
    browser.follow("XOXO")
    browser.follow("Stop and archive")
    browser.see("4 codes, of which 0 were used, cannot be used from now on.")
    browser.press("Stop and archive")
    assert site.reason(code) == "code_archived"
    browser.follow("Make active again")
    browser.press("Make active again")
    assert site.reason(code) == before


def test_an_example_is_copied_by_a_button_where_there_is_javascript(browser: Browser) -> None:
    browser.console()  # refusals of the tests before
    browser.go("/ui/api#redeemPromoCode")
    copy = browser.driver.find_element(By.CSS_SELECTOR, "[data-copy=redeemPromoCode-curl]")
    assert copy.is_displayed() is browser.javascript
    if browser.javascript:
        copy.click()
        browser.wait(lambda: copy.text == "Copied")
    assert not browser.console()
