"""promobridge panel: the panel's promotions, read over its API."""

from __future__ import annotations

import click


def register(group: click.Group) -> None:
    """Add the commands to `promobridge panel`."""
