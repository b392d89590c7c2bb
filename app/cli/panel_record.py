"""promobridge panel: answers kept without their values, and asked again here."""

from __future__ import annotations

import click


def register(group: click.Group) -> None:
    """Add the commands to `promobridge panel`."""
