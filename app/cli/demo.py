"""promobridge demo: a sample store, served, with calls that can be pasted."""

from __future__ import annotations

import click

from app import demo
from app.cli.output import as_json, put_json, store
from app.cli.serve import listen, run, where_and_how_many
from app.config import BadSetting

EXAMPLES = """\b
Examples:
  promobridge demo
  promobridge demo --bind 127.0.0.1:0 --json
"""


@click.command(name="demo", epilog=EXAMPLES)
@where_and_how_many
@as_json
def command(bind: str, workers: int | None, server: str, as_json: bool) -> None:
    """Serve a sample store until Ctrl-C and print calls that can be pasted.

    An empty store gets the documented sample batch. The access is named demo; its pair is kept
    beside the database in promobridge-demo.json, which only its owner can read. A second demo
    reuses both.
    """
    listening = listen(bind)
    if not listening.is_http:
        raise BadSetting("A demo listens on HOST:PORT only")
    with store() as settings:
        prepared = demo.prepare(settings)
    endpoint = f"{listening.url}{settings.admin_path}/api.php"

    def ready() -> None:
        if as_json:
            pair = {"api_id": prepared.pair.api_id, "api_key": prepared.pair.api_key}
            reused = prepared.store_reused and prepared.access_reused
            put_json({"url": endpoint} | pair | {"reused": reused})
            return
        held = "Reusing what is in the store" if prepared.store_reused else "Stored a sample batch"
        known = "reusing" if prepared.access_reused else "made"
        click.echo(f"# {held}; {known} the access {demo.ACCESS_NAME} of {prepared.pair_file}")
        click.echo(f"# Serving {endpoint}, stop with Ctrl-C. Paste one of these elsewhere:")
        click.echo("\n".join(demo.pasteable(endpoint, prepared.pair)))

    run(server, listening, workers, ready)
