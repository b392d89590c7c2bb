"""promobridge panel: who answers which call."""

from __future__ import annotations

import click


def register(group: click.Group) -> None:
    """Add the commands to `promobridge panel`."""
