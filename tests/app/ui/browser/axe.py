"""axe-core: what a page lacks for people who use it otherwise than by sight and mouse."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from tests import node
from tests.app.ui.browser.chromium import Browser

GRAVE = ("serious", "critical")
HERE = Path(__file__).parent
RUN = """
const done = arguments[arguments.length - 1];
axe.run({resultTypes: ["violations"]}).then(
  (found) => done(found.violations), (problem) => done([{id: String(problem), impact: "critical"}])
);
"""


@cache
def source(folder: Path) -> str:
    """Return the library, installed in the folder."""
    return (node.installed(HERE / "node", folder) / "axe-core" / "axe.min.js").read_text()


def faults(browser: Browser, library: str) -> list[tuple[str, list[str]]]:
    """Return the grave faults of the page: the rule and the elements."""
    browser.evaluate(library)
    found: list[dict[str, Any]] = browser.driver.execute_async_script(RUN)
    return [
        (fault["id"], [node["html"][:200] for node in fault.get("nodes", ())][:5])
        for fault in found
        if fault["impact"] in GRAVE
    ]
