"""promobridge panel: stand in front of a panel, and take its promotions over."""

from __future__ import annotations

import click

from app.cli import panel_learn, panel_record, panel_routes, panel_walk


@click.group(name="panel")
def command() -> None:
    """Stand in front of a panel, and take its promotions over call by call."""


panel_learn.register(command)
panel_routes.register(command)
panel_walk.register(command)
panel_record.register(command)
