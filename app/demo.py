"""A store to try: the documented sample batch and an access whose key is kept in a file."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from peewee import SqliteDatabase

from app.config import Settings
from app.exchange import private_files, saved_answers
from models.access import accesses
from models.access.accesses import Pair
from models.promotions.batches import Batch
from models.promotions.coupons import Coupon
from models.store.base import change, database

PAIR_FILE = "promobridge-demo.json"
ACCESS_NAME = "demo"
CALL = "listPromoBatches"


class Prepared(NamedTuple):
    """Say what `demo` serves, and whether it was there before."""

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
    path = _pair_file()
    kept = _kept(path)
    if kept and accesses.authenticated(kept.api_id, kept.api_key):
        return Prepared(kept, path, filled, True)
    with change():  # no access whose key nobody has
        _, pair = accesses.add(ACCESS_NAME)
        _keep(path, pair)
    return Prepared(pair, path, filled, False)


def pasteable(endpoint: str, pair: Pair) -> list[str]:
    """Return a curl, a PHP and a Python call, a line each, ready for a shell."""
    query = urlencode({"api_id": pair.api_id, "api_key": pair.api_key, "call": CALL})
    url = f"{endpoint}?{query}"
    python = f'import urllib.request; print(urllib.request.urlopen("{url}").read().decode())'
    return [
        shlex.join(("curl", "-sS", url)),
        shlex.join(("php", "-r", f'echo file_get_contents("{url}"), "\\n";')),
        shlex.join(("python3", "-c", python)),
    ]


def _pair_file() -> Path:
    """Return the file for the pair: beside a database file, else in the current folder."""
    bound = database.obj
    beside = Path(bound.database).parent if isinstance(bound, SqliteDatabase) else Path()
    return beside / PAIR_FILE


def _kept(path: Path) -> Pair | None:
    try:
        kept = json.loads(path.read_bytes())
        return Pair(str(kept["api_id"]), str(kept["api_key"]))
    except (OSError, ValueError, TypeError, LookupError):
        return None


def _keep(path: Path, pair: Pair) -> None:
    with private_files.replacing(path) as file:
        file.write(json.dumps(asdict(pair)).encode("ascii"))
