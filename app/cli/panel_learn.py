"""promobridge panel: whom the panel knows."""

from __future__ import annotations

import click


def register(group: click.Group) -> None:
    """Add the commands to `promobridge panel`."""
