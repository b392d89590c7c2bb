"""promobridge demo: serve a sample store and print calls that can be pasted."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import click
from peewee import SqliteDatabase

from app.cli import demo_data
from app.cli.lines import put_line
from app.cli.output import as_json, put_json, store
from app.cli.serve import listen, run, server_options
from app.cli.user import ROOT, link
from app.config import BadSetting, Settings
from app.exchange import private_files, saved_answers
from models.access import accesses
from models.access.accesses import Pair
from models.people import invites
from models.people.users import ADMIN
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.store.base import change, database

PAIR_FILE = "promobridge-demo.json"
ACCESS_NAME = "demo"
CALL = "listPromoBatches"
EXAMPLES = """\b
Examples:
  promobridge demo
  promobridge demo --bind 127.0.0.1:0 --json
"""


@click.command(name="demo", epilog=EXAMPLES)
@server_options
@as_json
def command(bind: str, workers: int | None, server: str, as_json: bool) -> None:
    """Serve a sample store until Ctrl-C; print calls that can be pasted, and a link to the pages.

    An empty store gets the documented sample batch, and some codes with uses. The access is named
    demo; its pair is kept beside the database in promobridge-demo.json, which only its owner can
    read. A second demo reuses both. The link logs the admin demo in once; each demo prints another.
    """
    address = listen(bind)
    if not address.is_http:
        raise BadSetting("A demo listens on HOST:PORT only")
    with store() as settings:
        prepared = prepare(settings)
        login = link(address.url, invites.one_time_login(ACCESS_NAME, ADMIN))
    if not prepared.store_reused:
        demo_data.fill(settings, prepared.pair)
    endpoint = f"{address.url}{settings.admin_path}/api.php"

    def ready() -> None:
        if as_json:
            reused = prepared.store_reused and prepared.access_reused
            pages = {"pages": f"{address.url}{ROOT}/", "login": login}
            put_json({"url": endpoint} | asdict(prepared.pair) | {"reused": reused} | pages)
            return
        held = "Reusing what is in the store" if prepared.store_reused else "Stored a sample batch"
        known = "reusing" if prepared.access_reused else "made"
        put_line(f"# {held}; {known} the access {ACCESS_NAME} of {prepared.pair_file}")
        put_line(f"# Serving {endpoint}, stop with Ctrl-C. Paste one of these elsewhere:")
        for line in _pasteable(endpoint, prepared.pair):
            put_line(line)
        put_line(f"# Pages for people; this link logs in once: {login}")
        put_line(
            f"# There: why was {demo_data.CODE} refused for client 7? Then stop the batch XOXO."
        )

    run(server, address, workers, ready)


class Prepared(NamedTuple):
    """Hold the demo access, and whether it and the store were there before."""

    pair: Pair
    pair_file: Path
    store_reused: bool
    access_reused: bool


def prepare(settings: Settings) -> Prepared:
    """Fill an empty store with the sample batch and make the demo access, unless they are there.

    Raises Invalid when the file with the pair cannot be written.
    """
    filled = Batch.select().exists() or Coupon.select().exists()
    if not filled:
        with resources.as_file(resources.files("app") / "sample" / f"{CALL}.json") as sample:
            saved_answers.store_files([str(sample)], ZoneInfo(settings.timezone))
    bound = database.obj
    folder = Path(bound.database).parent if isinstance(bound, SqliteDatabase) else Path()
    path = folder / PAIR_FILE
    kept = _kept(path)
    if kept and accesses.authenticated(kept.api_id, kept.api_key):
        return Prepared(kept, path, filled, True)
    with change():  # no access whose key nobody has
        _, pair = accesses.add(ACCESS_NAME)
        with private_files.replacing(path) as name:
            name.write_text(json.dumps(asdict(pair)), "ascii")
    return Prepared(pair, path, filled, False)


def _kept(path: Path) -> Pair | None:
    try:
        kept = json.loads(path.read_bytes())
        return Pair(str(kept["api_id"]), str(kept["api_key"]))
    except (OSError, ValueError, TypeError, LookupError):
        return None


def _pasteable(endpoint: str, pair: Pair) -> list[str]:
    """Return a curl, a PHP and a Python call, a line each, ready for a shell."""
    url = f"{endpoint}?{urlencode(asdict(pair) | {'call': CALL})}"
    python = f'import urllib.request; print(urllib.request.urlopen("{url}").read().decode())'
    return [
        shlex.join(("curl", "-sS", url)),
        shlex.join(("php", "-r", f'echo file_get_contents("{url}"), "\\n";')),
        shlex.join(("python3", "-c", python)),
    ]
