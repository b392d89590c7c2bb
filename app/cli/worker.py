"""promobridge worker: the process that makes large batches."""

from __future__ import annotations

import os

import click

from app import config, db, jobs, logs
from models.store import schema


@click.command(name="worker", epilog="Example: promobridge worker")
@click.option("--once", is_flag=True, help="End when there is nothing left to do.")
@click.option("--beside", type=int, hidden=True, help="End when this parent process has ended.")
def command(once: bool, beside: int | None) -> None:
    """Make the codes of large batches that the REST face was asked for.

    `promobridge serve` starts one beside itself; more may run. One that is killed loses nothing:
    the next goes on where it stopped.
    """
    settings = config.from_environment()
    logs.configure(settings)
    bound = db.bind(settings)
    with bound.connection_context():
        schema.require_current()

    def orphaned() -> bool:
        return beside is not None and os.getppid() != beside

    jobs.run(once, orphaned)
