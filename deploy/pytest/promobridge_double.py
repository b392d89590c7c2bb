"""A pytest fixture that starts `promobridge double` and speaks to it over HTTP.

It imports nothing of promobridge: that is a command of an environment of its own, found on PATH or
named by PROMOBRIDGE_COMMAND. Each xdist worker has a double of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

COMMAND = "PROMOBRIDGE_COMMAND"
START_SECONDS = 30
ID, KEY = "double-api-id", "double-api-key"
SECRET = "sk_test_00000000000000000000000000000000"  # noqa: S105  # documented


class DoubleError(Exception):
    """Say what a double refused, or why it did not start."""


class Clock:
    """Set the time of a double; times are ISO 8601 or Unix seconds."""

    def __init__(self, double: Double) -> None:
        self._double = double

    def now(self) -> str:
        """Return the time of the double."""
        return str(self._double.control("GET", "clock")["now"])

    def freeze(self, at: str | float) -> None:
        """Stop the clock at a time."""
        self._double.control("PUT", "clock", {"frozen": at})

    def advance(self, seconds: float) -> None:
        """Set the clock forward."""
        self._double.control("PUT", "clock", {"advance": seconds})

    def real(self) -> None:
        """Tell the real time again."""
        self._double.control("PUT", "clock", {"real": True})


class Faults:
    """Ask for faults: `put("redeemPromoCode", times=1, status=503)`."""

    def __init__(self, double: Double) -> None:
        self._double = double

    def put(self, call: str | None = None, **fault: Any) -> None:
        """Add a fault of a call, or of any; see the control API for the fields."""
        self._double.control("PUT", "faults", fault if call is None else {"call": call, **fault})

    def clear(self, call: str | None = None) -> None:
        """Forget the faults of a call, or all."""
        self._double.control("DELETE", _of("faults", call))


class Stubs:
    """Set answers of calls: `put("getClients", {"clients": []})`."""

    def __init__(self, double: Double) -> None:
        self._double = double

    def put(self, call: str, *answers: dict[str, Any], match: dict[str, Any] | None = None) -> None:
        """Answer a call with these, one after another; the last one stays."""
        given = {"call": call, "answers": list(answers), "match": match or {}}
        self._double.control("PUT", "stubs", given)

    def clear(self, call: str | None = None) -> None:
        """Forget what was set for a call, or all of it."""
        self._double.control("DELETE", _of("stubs", call))


class Requests:
    """Look at what was asked of a double."""

    def __init__(self, double: Double) -> None:
        self._double = double

    def all(self, call: str | None = None) -> list[dict[str, Any]]:
        """Return the requests in their order, of one call where it is named."""
        return list(self._double.control("GET", _of("requests", call))["requests"])

    def count(self, call: str | None = None) -> int:
        """Return how many requests there were."""
        path = _of("requests", call)
        return int(self._double.control("GET", path + ("&" if call else "?") + "count")["count"])

    def clear(self) -> None:
        """Forget them."""
        self._double.control("DELETE", "requests")


class Double:
    """Hold a double that runs: `url` of its admin API, `rest_url`, and the credentials."""

    def __init__(self, base: str, api_id: str = ID, api_key: str = KEY) -> None:
        self.base = base
        self.url = f"{base}/admin/api.php"
        self.rest_url = f"{base}/v1"
        self.id, self.key, self.secret = api_id, api_key, SECRET
        self.clock, self.faults, self.stubs = Clock(self), Faults(self), Stubs(self)
        self.requests = Requests(self)

    def reset(self) -> None:
        """Go back to the seed, without faults, set stubs and requests."""
        self.control("POST", "reset")

    def seed(self, seed: dict[str, Any]) -> None:
        """Empty the store and fill it with a seed, which `reset` goes back to in this test."""
        self.control("POST", "seed", seed)

    def snapshot(self) -> str:
        """Keep what is stored now, and return the name for `restore`."""
        return str(self.control("POST", "snapshot")["snapshot"])

    def restore(self, snapshot: str) -> None:
        """Go back to a snapshot."""
        self.control("POST", "restore", {"snapshot": snapshot})

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Return what the control API answers. Raises DoubleError with its sentence."""
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(  # noqa: S310  # of a double of this machine
            f"{self.base}/_double/{path}",
            data,
            {"Content-Type": "application/json"},
            method=method,
        )
        try:
            with _direct.open(asked, timeout=60) as answer:
                text = answer.read()
        except urllib.error.HTTPError as problem:
            with problem:
                raise DoubleError(json.loads(problem.read())["error"]) from None
        return json.loads(text) if text else None


_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _of(path: str, call: str | None) -> str:
    return path if call is None else f"{path}?call={quote(call)}"


def command() -> list[str]:
    """Return the command of promobridge. Raises DoubleError when there is none."""
    named = os.environ.get(COMMAND)
    if named:
        return shlex.split(named)
    found = shutil.which("promobridge")
    if found is None:
        raise DoubleError(
            f"There is no command promobridge: `pipx install .` in its checkout, or set {COMMAND}"
        )
    return [found]


def credentials(options: Sequence[str]) -> tuple[str, str]:
    """Return the pair that opens a double which was started with these options."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--id", default=ID)
    parser.add_argument("--key", default=KEY)
    found, _ = parser.parse_known_args(options)
    return found.id, found.key


def started(*options: str) -> Iterator[Double]:
    """Yield a double that was started with these options, and end it."""
    with tempfile.TemporaryDirectory() as folder:
        port, said = Path(folder, "port"), Path(folder, "said")
        words = [*command(), "double", "--bind", "127.0.0.1:0", "--port-file", str(port), *options]
        # PYTHONPATH and the like are for the project, whose packages may be named as promobridge's.
        given = {
            name: text
            for name, text in os.environ.items()
            if name != COMMAND and not name.startswith("PYTHON")
        }
        with said.open("wb") as output:
            try:
                process = subprocess.Popen(  # noqa: S603
                    words, env=given, stdout=output, stderr=subprocess.STDOUT
                )
            except OSError as problem:
                raise DoubleError(
                    f"{words[0]} cannot be run ({problem.strerror}): set {COMMAND} to a command"
                ) from None
        try:
            end = time.monotonic() + START_SECONDS
            while not port.exists():
                if process.poll() is not None or time.monotonic() > end:
                    told = said.read_text(errors="replace").strip()
                    raise DoubleError(f"The double did not start: {told}")
                time.sleep(0.01)
            yield Double(f"http://127.0.0.1:{port.read_text().strip()}", *credentials(options))
        finally:
            process.terminate()
            process.wait(30)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a project say how its double is started."""
    parser.addini("promobridge_double", "Options of `promobridge double`", "args", default=[])


@pytest.fixture(scope="session")
def promobridge_session(pytestconfig: pytest.Config) -> Iterator[Double]:
    """Return the double of this session, as the last test left it."""
    try:
        yield from started(*pytestconfig.getini("promobridge_double"))
    except DoubleError as problem:
        raise pytest.fail.Exception(str(problem), pytrace=False) from None


@pytest.fixture
def promobridge(promobridge_session: Double) -> Double:
    """Return a double that holds the seed it was started with and nothing else."""
    promobridge_session.control("DELETE", "seed")
    return promobridge_session
