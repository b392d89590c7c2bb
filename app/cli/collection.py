"""promobridge collection: both APIs as Postman collections."""

from __future__ import annotations

import click

from app import config
from app.cli.output import put_json

EXAMPLES = """\b
Examples:
  promobridge collection rpc > legacy.postman_collection.json
  promobridge collection rest --url https://promo.example > rest.postman_collection.json
"""


@click.command(name="collection", epilog=EXAMPLES)
@click.argument("face", type=click.Choice(("rpc", "rest")))
@click.option(
    "--url",
    default="http://127.0.0.1:8080",
    show_default=True,
    help="Where the service answers; a variable of the collection.",
)
def command(face: str, url: str) -> None:
    """Print the legacy calls (rpc) or the REST API as a Postman collection, format 2.1.

    Credentials are variables of the collection, and empty.
    """
    from app.reference import postman  # with both APIs behind it

    base = url.rstrip("/")
    if face == "rest":
        put_json(postman.rest_collection(base))
    else:
        admin_path = config.from_environment().admin_path
        put_json(postman.legacy_collection(base, admin_path))
