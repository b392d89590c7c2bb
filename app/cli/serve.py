"""promobridge serve: gunicorn in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from app import config
from app.serving import DEFAULT_BIND, listen, run

WORKERS_MAX = 256
EXAMPLES = """\b
Examples:
  promobridge serve
  promobridge serve --bind 0.0.0.0:8000 --workers 4
  promobridge serve --bind unix:/run/promobridge/http.sock
"""


def where_and_how_many(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that `serve` and `demo` share."""
    bind = click.option(
        "--bind",
        metavar="HOST:PORT",
        default=DEFAULT_BIND,
        show_default=True,
        help="Where to listen; port 0 takes a free one.",
    )
    workers = click.option(
        "--workers",
        type=click.IntRange(1, WORKERS_MAX),
        help="How many processes answer.  [default: one for each core]",
    )
    return bind(workers(function))


@click.command(name="serve", epilog=EXAMPLES)
@where_and_how_many
def command(bind: str, workers: int | None) -> None:
    """Answer the API with gunicorn until Ctrl-C or SIGTERM.

    The address is printed when the first answer has come. Logs go to standard error, without
    any credential.
    """
    settings = config.from_environment()
    listening = listen(bind)

    def ready() -> None:
        path = "" if listening.host is None else f"{settings.admin_path}/api.php"
        click.echo(f"Serving {listening.url}{path}")

    run(settings, listening, workers, ready)
