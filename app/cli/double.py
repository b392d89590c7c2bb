"""promobridge double: a test double of the whole admin API and of the REST API."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import click

from app import config, logs, metrics_folder
from app.cli.lines import put_line, visible
from app.cli.serve import Address, listen
from app.config import BadSetting, variable
from app.exchange import private_files
from models.access.accesses import Pair

if TYPE_CHECKING:
    from app.double.seed import Credentials

EXAMPLES = """\b
Examples:
  promobridge double
  promobridge double --stubs panel.postman_collection.json --strict
  promobridge double --bind 127.0.0.1:0 --port-file port.txt --clock 2026-12-31T23:59:00Z
  promobridge double --seed seed.json --random-seed 7

A seed is the saved answer of a panel (listPromoBatches, …), or JSON with calls to make:
{"calls": [{"call": "addPromoCode", "code": "X", "coupon_type": "cart", "value": 5, …}]}
Tests drive it under /_double/: see app/double/README.md.
"""
OWN: dict[str, Any] = {
    "unknown_facts": "count",
    "panel_url": "",
    # Nothing is made outside its folder.
    "ui_key_file": "",
    "limits_url": "memory://",
    "usage_log_seconds": 31_536_000,  # written when it is asked for, not when time has passed
}
"""The settings that no environment changes."""


def _networks(ctx: click.Context, param: click.Parameter, given: Sequence[str]) -> Sequence[str]:
    for each in given:
        try:
            ip_network(each)
        except ValueError:
            raise click.BadParameter(f"{each} is no network such as 172.16.0.0/12") from None
    return given


@click.command(name="double", epilog=EXAMPLES)
@click.option(
    "--seed",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What to begin with; without it a sample batch, codes and a campaign.",
)
@click.option("--empty", is_flag=True, help="Begin with nothing but the credentials.")
@click.option(
    "--stubs",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    help="Answers of other calls: a Postman collection, a folder of `panel record`, or JSON.",
)
@click.option("--strict", is_flag=True, help="Answer HTTP 501 where there is no stub.")
@click.option("--id", "api_id", help="The api_id instead of the documented one.")
@click.option("--key", "api_key", help="The api_key instead of the documented one.")
@click.option("--clock", "at", metavar="TIME", help="Stop the clock here: 2026-12-31T23:59:00Z.")
@click.option(
    "--random-seed",
    type=click.IntRange(0, 2**31 - 1),
    help="The same codes, ids and UUIDs each time.",
)
@click.option("--bind", default="127.0.0.1:8099", show_default=True, metavar="HOST:PORT")
@click.option(
    "--port-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the port here when it answers.",
)
@click.option(
    "--control-from",
    multiple=True,
    metavar="NETWORK",
    callback=_networks,
    help="Let this network use /_double/ too.",
)
def command(
    seed: Path | None,
    empty: bool,
    stubs: tuple[Path, ...],
    strict: bool,
    api_id: str | None,
    api_key: str | None,
    at: str | None,
    random_seed: int | None,
    bind: str,
    port_file: Path | None,
    control_from: tuple[str, ...],
) -> None:
    """Answer every call of a panel, for tests of integrations: resettable, with time and faults.

    Promotions are stored as the real server stores them, in a temporary place that is gone at the
    end; other calls are answered from stubs. Every answer has the header X-Promobridge-Double: 1.
    """
    if seed is not None and empty:
        raise click.UsageError("--seed cannot be given with --empty")
    if os.environ.get(variable("database_url")):
        raise BadSetting(
            f"A double has a store of its own: start it without {variable('database_url')}"
        )
    address = listen(bind)
    if not address.is_http:
        raise BadSetting("A double listens on HOST:PORT only")
    if port_file is not None:
        _clear(port_file)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())  # gunicorn has its own later
    metrics_folder.skip()
    gc.disable()  # what is loaded stays: a tenth of the start
    # Imported here: --help and refusals need none of it.
    from app.double import control, serving
    from app.double.seed import PAIR, SECRET
    from app.double.seed import Credentials as Given
    from app.double.state import Double, Wishes

    settings = replace(config.from_environment(), **OWN)
    logs.configure(settings)
    logging.getLogger("peewee").setLevel(logging.WARNING)  # its store is new each time
    pair = Pair(api_id or PAIR.api_id, api_key or PAIR.api_key)
    frozen = None if at is None else control.moment(at)
    wishes = Wishes(seed, empty, stubs, strict, Given(pair, SECRET), frozen, random_seed)
    double, parent = None, os.getpid()
    try:
        double = Double(settings, wishes)
        for warning in double.warnings:
            put_line(f"# Warning: {visible(warning)}")
        gc.freeze()
        gc.enable()
        serving.serve(
            serving.application(double, control_from),
            address,
            lambda: _tell(address, settings.admin_path, wishes.credentials, port_file),
        )
    finally:
        # The worker, a fork of this process, ends here too. What is stored is its parent's to
        # remove, but where that was killed.
        if double is not None and (parent in (os.getpid(), 1) or os.getppid() != parent):
            double.remove()
            if port_file is not None:
                port_file.unlink(missing_ok=True)


def _clear(port_file: Path) -> None:
    """Remove the port of another start, where nobody answers. Raises BadSetting."""
    try:
        port_file.unlink(missing_ok=True)
        with tempfile.TemporaryFile(dir=port_file.resolve().parent):
            pass  # it is written by the worker, too late for a refusal
    except OSError as problem:
        raise BadSetting(f"{port_file} cannot be written: {problem.strerror}") from None


def _tell(address: Address, path: str, given: Credentials, port_file: Path | None) -> None:
    pair, url = given.pair, address.url
    query = urlencode({"api_id": pair.api_id, "api_key": pair.api_key, "call": "listPromoBatches"})
    for line in (
        f"# A double answers {url}{path}/api.php and {url}/v1/, stop with Ctrl-C.",
        f"# api_id {pair.api_id}, api_key {pair.api_key}, X-API-Secret {given.secret}",
        f"curl -sS '{url}{path}/api.php?{query}'",
        "# PHPUnit:",
        f"protected function setUp(): void {{ file_get_contents('{url}/_double/reset', false,"
        " stream_context_create(['http' => ['method' => 'POST']])); }",
        "# pytest, with pip install deploy/pytest of the checkout (it starts a double of its own):",
        "def test_mine(promobridge): my_client(promobridge.url, promobridge.id, promobridge.key)",
        "# A CI job:",
        "promobridge double --bind 127.0.0.1:0 --port-file port.txt &"
        " timeout 10 sh -c 'until [ -s port.txt ]; do sleep 0.1; done'",
    ):
        put_line(line)
    if port_file is not None:
        with private_files.replacing(port_file) as name:
            name.write_text(f"{url.rpartition(':')[2]}\n", "ascii")
