"""Start gunicorn in this process, after everything that can be refused was refused."""

from __future__ import annotations

import http.client
import os
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from flask import Flask
from gunicorn import systemd, util
from gunicorn.app.base import Application

from app import create_app, metrics_folder
from app.config import BadSetting, Settings, variable
from app.job_worker import Beside

DEFAULT_BIND = "127.0.0.1:8080"
BACKLOG = 1024
CONFIGURATION = "gunicorn.conf.py"
FIRST_ANSWER_SECONDS = 30


class Listening(NamedTuple):
    """Name an open address: as gunicorn takes it over, and as clients of this machine reach it."""

    bind: str
    host: str | None
    port: int

    @property
    def url(self) -> str:
        """Return the address as a URL without a path."""
        if self.host is None:
            return self.bind
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{shown}:{self.port}"


def listen(bind: str) -> Listening:
    """Open HOST:PORT; port 0 takes a free one. Raises BadSetting when that cannot be done.

    A socket that systemd hands over takes the place of any other.
    """
    if systemd.listen_fds(unset_environment=False):
        return _handed_over()
    try:
        address = util.parse_address(bind, DEFAULT_BIND.rpartition(":")[2])
    except RuntimeError as problem:
        raise BadSetting(f"An address to listen on is HOST:PORT, not {bind}") from problem
    if not isinstance(address, tuple):  # unix:PATH and fd://N are gunicorn's to open
        return Listening(bind, None, 0)
    host = address[0]
    family = socket.AF_INET6 if util.is_ipv6(host) else socket.AF_INET
    try:
        opened = socket.create_server(address, family=family, backlog=BACKLOG)
    except OverflowError as problem:
        raise BadSetting(f"Cannot listen on {bind}: a port is 0 to 65535") from problem
    except socket.gaierror as problem:
        raise BadSetting(f"Cannot listen on {bind}: there is no host {host}") from problem
    except OSError as problem:
        reason = os.strerror(problem.errno or 0)
        raise BadSetting(f"Cannot listen on {bind}: {reason}") from problem
    port = opened.getsockname()[1]
    return Listening(f"fd://{opened.detach()}", _reached(host), port)


def _handed_over() -> Listening:
    """Name the first socket that systemd holds for us; gunicorn finds them all by itself."""
    with socket.socket(fileno=os.dup(systemd.SD_LISTEN_FDS_START)) as held:
        name = held.getsockname()
    if isinstance(name, tuple):
        return Listening(DEFAULT_BIND, _reached(name[0]), name[1])
    return Listening(DEFAULT_BIND, None, 0)


def _reached(host: str) -> str:
    """Return where clients of this machine reach a host that is listened on."""
    everywhere = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # only compared
    return everywhere.get(host, host)


def run(
    settings: Settings,
    listening: Listening,
    workers: int | None,
    ready: Callable[[], None],
) -> None:
    """Serve until a signal ends it; `ready` is called once, when the first answer has come.

    Raises BadSetting and SchemaMismatch before the first worker is started.
    """

    def announce(worker: Any) -> None:
        if worker.age == 1:
            threading.Thread(target=_when_answering, args=(listening, ready), daemon=True).start()

    metrics_folder.make()  # before the environment is handed to the job workers
    environment = os.environ | {variable("database_url"): settings.database_url}
    beside = Beside(environment, settings.job_workers)
    options: dict[str, Any] = {
        "bind": listening.bind,
        "workers": workers,
        "post_worker_init": announce,
        "when_ready": lambda arbiter: beside.start(),
        "on_exit": lambda arbiter: beside.stop(),
    }
    Server(settings, configuration(), options).run()


def configuration() -> Path:
    """Return gunicorn's settings file: in the checkout, or where an installation put it."""
    places = Path(__file__).parents[1], Path(sys.prefix, "share", "promobridge")
    for place in places:
        if (place / CONFIGURATION).is_file():
            return place / CONFIGURATION
    raise BadSetting(f"{CONFIGURATION} is missing from {' and '.join(map(str, places))}")


class Server(Application):
    """Be gunicorn with our settings file, GUNICORN_CMD_ARGS, and then the given options."""

    def __init__(self, settings: Settings, file: Path, options: dict[str, Any]) -> None:
        self.settings = settings
        self.file = file
        self.options = options
        super().__init__()

    def load_config(self) -> None:
        """Read the settings, again after each SIGHUP."""
        self.load_config_from_file(str(self.file))
        from_environment = self.cfg.parser().parse_args(self.cfg.get_cmd_args_from_env())
        for name, value in (vars(from_environment) | self.options).items():
            if value is not None and name != "args":
                self.cfg.set(name, value)

    def load(self) -> Flask:
        """Return the WSGI application."""
        return create_app(self.settings)


def _when_answering(listening: Listening, ready: Callable[[], None]) -> None:
    # Whoever closed standard output or stopped the server meanwhile needs no announcement.
    with suppress(OSError, http.client.HTTPException):
        if listening.host is not None:
            asked = http.client.HTTPConnection(
                listening.host, listening.port, timeout=FIRST_ANSWER_SECONDS
            )
            asked.request("HEAD", "/api.php")
            asked.getresponse()
            asked.close()
        ready()
