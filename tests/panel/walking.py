"""Walks of the panel of a test, as the command does them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from app.cli import main
from tests.panel.php_panel import PhpPanel

FAST = "1000"


@dataclass(frozen=True)
class Walker:
    """Hold the panel, and the environment of the commands that speak to it."""

    panel: PhpPanel
    environment: dict[str, str]

    def run(self, *words: str) -> Result:
        """Run a command of `promobridge panel`."""
        return CliRunner().invoke(main, ["panel", *words], env=self.environment)

    def walk(self, *options: str, status: int = 0) -> dict[str, Any]:
        """Walk the panel and return the report."""
        done = self.run("walk", "--rate", FAST, "--json", *options)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == status, done.output[:2000]
        value: dict[str, Any] = json.loads(done.stdout)
        return value

    def stopped(self, *options: str) -> str:
        """Walk the panel, which must be stopped, and return the sentence."""
        done = self.run("walk", "--rate", FAST, *options)
        assert done.exit_code == 1, done.output
        assert done.stdout == ""
        for secret in self.panel.credentials.values():
            assert secret not in done.stderr
        return done.stderr.removeprefix("Error: ").rstrip("\n")


def walker(panel: PhpPanel, folder: Path, database_url: str) -> Walker:
    """Return the commands of an installation that stands in front of a panel."""
    pair = folder / "pair"
    pair.touch(mode=0o600)
    pair.write_text(f"{panel.api_id}\n{panel.api_key}\n")
    return Walker(
        panel,
        {
            "PROMOBRIDGE_DATABASE_URL": database_url,
            "PROMOBRIDGE_PANEL_URL": panel.url,
            "PROMOBRIDGE_PANEL_CA": str(panel.ca),
            "PROMOBRIDGE_PANEL_CREDENTIALS_FILE": str(pair),
        },
    )
