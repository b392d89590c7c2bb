"""Debian's Chromium, driven by its own driver: nothing is downloaded, nothing is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.programs import program
from tests.waiting import SECONDS, wait_until

FLAGS = (
    "--headless",
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)
BLOCKED = 2
"""What Chromium's preferences call a kind of content that no page may use."""
HEIGHT = 900
Found = TypeVar("Found")


class Browser:
    """Visit pages of a site and act on what they show, as a person sees it."""

    def __init__(self, driver: webdriver.Chrome, site: str, folder: Path, javascript: bool) -> None:
        self.driver = driver
        self.site = site
        self.folder = folder
        self.javascript = javascript

    def go(self, path: str) -> None:
        """Open a page of the site."""
        self.driver.get(self.site + path)

    def width(self, pixels: int) -> None:
        """Give the window a width."""
        self.driver.set_window_size(pixels, HEIGHT)

    def scheme(self, name: Literal["light", "dark"]) -> None:
        """Let the system wish for light or dark."""
        wish = {"name": "prefers-color-scheme", "value": name}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [wish]})

    def evaluate(self, script: str) -> Any:
        """Return what a script returns in the page."""
        return self.driver.execute_script(script)

    @property
    def text(self) -> str:
        """Return what the page shows."""
        return self.driver.find_element(By.TAG_NAME, "body").text

    def links(self) -> list[str]:
        """Return where the links of the page lead, but for downloads."""
        found: list[str] = self.evaluate(
            "return [...document.querySelectorAll('a[href]:not([download])')]"
            ".map(link => link.getAttribute('href'))"
        )
        return found

    def field(self, label: str) -> WebElement:
        """Return the field with this label; a name for developers may stand beside it."""
        of = f"//label[normalize-space(text()[1])={_quoted(label)}]"
        found = self.driver.find_element(By.XPATH, of)
        return self.driver.find_element(By.ID, str(found.get_attribute("for")))

    def fill(self, label: str, value: str) -> None:
        """Type into the field with this label."""
        field = self.field(label)
        field.clear()
        field.send_keys(value)

    def press(self, text: str) -> None:
        """Press the button with this text, and wait until another page is there."""
        self.leave(
            self.driver.find_element(By.XPATH, f"//button[normalize-space()={_quoted(text)}]").click
        )

    def follow(self, text: str) -> None:
        """Follow the link with this text, and wait until another page is there."""
        self.leave(self.driver.find_element(By.LINK_TEXT, text).click)

    def download(self, text: str) -> str:
        """Follow the link to a file with this text; return what is in the file."""
        before = {*self.folder.iterdir()}
        self.driver.find_element(By.LINK_TEXT, text).click()

        def loaded() -> Path | None:
            new = [path for path in self.folder.iterdir() if path not in before]
            return new[0] if len(new) == 1 and new[0].suffix == ".csv" else None

        return self.wait(loaded).read_text()

    def see(self, text: str) -> None:
        """Wait until the page shows a text."""
        self.wait(lambda: text in self.text)

    def wait(self, true: Callable[[], Found | None]) -> Found:
        """Return what something is as soon as it is true."""

        def tried() -> Found | None:
            try:
                return true()
            except (NoSuchElementException, StaleElementReferenceException):
                return None

        found = wait_until(tried, why=lambda: f"{self.driver.current_url}\n{self.text}", pause=0.02)
        assert found is not None
        return found

    def console(self) -> list[str]:
        """Return the lines on the console since they were last asked for."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than the window."""
        wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        return int(self.evaluate(f"return {wider}"))

    def leave(self, deed: Callable[[], object]) -> None:
        """Do what leads to another page, and wait until that is there."""
        page = self.driver.find_element(By.TAG_NAME, "html").id
        deed()
        self.wait(lambda: self.driver.find_element(By.TAG_NAME, "html").id != page)


@contextmanager
def chromium(folder: Path, site: str, javascript: bool = True) -> Iterator[Browser]:
    """Start a browser with a profile and downloads in the folder, and end it."""
    options = webdriver.ChromeOptions()
    options.binary_location = program("chromium")
    for flag in (*FLAGS, f"--user-data-dir={folder / 'profile'}"):
        options.add_argument(flag)
    preferences: dict[str, Any] = {"download.default_directory": str(folder)}
    if not javascript:
        preferences["profile.managed_default_content_settings.javascript"] = BLOCKED
    options.add_experimental_option("prefs", preferences)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, Service(program("chromedriver")))
    driver.set_page_load_timeout(SECONDS)
    driver.set_script_timeout(SECONDS)
    try:
        yield Browser(driver, site, folder, javascript)
    finally:
        driver.quit()


def _quoted(text: str) -> str:
    return f'"{text}"'
