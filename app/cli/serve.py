"""promobridge serve: gunicorn or granian in this process, workers and senders beside it."""

from __future__ import annotations

import http.client
import multiprocessing
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import click

from app import config, metrics_folder
from app.cli.lines import put_line
from app.cli.side_processes import SideProcesses
from app.config import BadSetting

if TYPE_CHECKING:
    from flask import Flask

DEFAULT_BIND = "127.0.0.1:8080"
BACKLOG = 1024
CONFIGURATION = "gunicorn.conf.py"
FIRST_ANSWER_SECONDS, LOOK_SECONDS = 30, 0.05
STOP_SECONDS = 30
"""How long granian's workers may take to end what they answer."""
SOCKET_MODE = 0o660
"""A unix socket is for its owner and group, not for everyone."""
WORKERS_MAX = 256
FIRST_OF_SYSTEMD = 3
"""SD_LISTEN_FDS_START of sd_listen_fds(3)."""
LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # only compared
"""Where clients of this machine reach a server that listens on all addresses."""
EXAMPLES = """\b
Examples:
  promobridge serve
  promobridge serve --bind 0.0.0.0:8000 --workers 4
  promobridge serve --bind unix:/run/promobridge/http.sock
"""


class Address(NamedTuple):
    """Hold an address as gunicorn takes it, and its URL without a path for clients of this machine.

    What is no TCP socket has no URL, but the address once more.
    """

    bind: str
    url: str

    @property
    def is_http(self) -> bool:
        """Return whether clients reach it by a URL."""
        return self.url.startswith("http:")


def listen(bind: str) -> Address:
    """Open HOST:PORT; port 0 takes a free one. Raises BadSetting when that cannot be done.

    A socket that systemd hands over takes the place of any other.
    """
    if os.environ.get("LISTEN_PID") == str(os.getpid()):
        with socket.socket(fileno=os.dup(FIRST_OF_SYSTEMD)) as held:
            return Address(DEFAULT_BIND, _url(held))  # gunicorn finds it by itself
    if bind.startswith(("unix:", "fd://")):
        return Address(bind, bind)
    host, colon, port = bind.rpartition(":")
    host = host.strip("[]")
    if not (colon and port.isdecimal()):
        raise BadSetting(f"An address to listen on is HOST:PORT, not {bind}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        opened = socket.create_server((host, int(port)), family=family, backlog=BACKLOG)
    except OverflowError:
        raise BadSetting(f"Cannot listen on {bind}: a port is 0 to 65535") from None
    except OSError as problem:
        unknown = isinstance(problem, socket.gaierror)
        reason = f"there is no host {host}" if unknown else os.strerror(problem.errno or 0)
        raise BadSetting(f"Cannot listen on {bind}: {reason}") from None
    url = _url(opened)
    return Address(f"fd://{opened.detach()}", url)


def _url(opened: socket.socket) -> str:
    name: Any = opened.getsockname()
    if not isinstance(name, tuple):
        return f"unix:{name}"
    host = str(LOOPBACK_OF.get(name[0], name[0]))
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{name[1]}"


def run(server: str, address: Address, workers: int | None, ready: Callable[[], None]) -> None:
    """Serve until a signal ends it; `ready` is called once, when the first answer has come.

    Raises BadSetting and SchemaMismatch before the first worker is started.
    """
    metrics_folder.make()  # before processes beside inherit the environment
    multiprocessing.set_start_method("fork", force=True)  # granian's workers share what is loaded
    unannounced = multiprocessing.Lock()

    def announce_once() -> None:
        # In the first worker, not here: a thread that imports something must not meet a fork.
        if unannounced.acquire(block=False):
            threading.Thread(target=_announce, args=(address, ready), daemon=True).start()

    settings = config.from_environment()
    beside = SideProcesses(
        [["worker"]] * settings.job_workers + [["webhook", "deliver"]] * settings.webhook_senders
    )
    SERVERS[server](address, workers, beside, announce_once)


def _run_gunicorn(
    address: Address,
    workers: int | None,
    beside: SideProcesses,
    announce_once: Callable[[], None],
) -> None:
    from gunicorn.app.base import Application

    options = {
        "bind": address.bind,
        "workers": workers,
        "when_ready": lambda arbiter: beside.start(),
        "post_worker_init": lambda worker: announce_once(),
        "on_exit": lambda arbiter: beside.stop(),
    }

    class Gunicorn(Application):
        """Be gunicorn with our settings file, GUNICORN_CMD_ARGS, and then the given options."""

        def load_config(self) -> None:
            """Read the settings, again after each SIGHUP."""
            self.load_config_from_file(str(configuration()))
            from_environment = self.cfg.parser().parse_args(self.cfg.get_cmd_args_from_env())
            for name, value in (vars(from_environment) | options).items():
                if value is not None and name != "args":
                    self.cfg.set(name, value)

        def load(self) -> Flask:
            """Return the WSGI application."""
            from wsgi import app

            return app

    Gunicorn().run()


def configuration() -> Path:
    """Return gunicorn's settings file: in the checkout, or where an installation put it."""
    places = Path(__file__).parents[2], Path(sys.prefix, "share", "promobridge")
    for place in places:
        if (place / CONFIGURATION).is_file():
            return place / CONFIGURATION
    raise BadSetting(f"{CONFIGURATION} is missing from {' and '.join(map(str, places))}")


def _run_granian(
    address: Address,
    workers: int | None,
    beside: SideProcesses,
    announce_once: Callable[[], None],
) -> None:
    try:
        from granian import Granian
        from granian.constants import HTTPModes, Interfaces
    except ImportError:
        raise BadSetting("granian is missing: pip install 'promobridge[granian]'") from None
    kind, _, rest = address.bind.partition(":")
    if kind == "unix":
        where: dict[str, Any] = {"uds": Path(rest), "uds_permissions": SOCKET_MODE}
    elif kind == "fd" and address.is_http:
        # It was opened so that it can be refused now; each worker of granian opens its own.
        with socket.socket(fileno=int(rest.strip("/"))) as opened:
            where = dict(zip(("address", "port"), opened.getsockname(), strict=False))
    else:
        raise BadSetting("granian listens on HOST:PORT and unix:PATH only")
    from wsgi import app  # what is refused is refused here; workers share the rest

    def load() -> Flask:
        os.setpgid(0, 0)  # Ctrl-C in a terminal is for the parent, who tells the workers
        announce_once()
        return app

    server = Granian(
        "wsgi:app",
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        workers=workers or os.cpu_count() or 1,
        blocking_threads=config.from_environment().threads,
        backlog=BACKLOG,
        respawn_failed_workers=True,
        workers_kill_timeout=STOP_SECONDS,
        log_dictconfig={"handlers": {}, "loggers": {"_granian": {"propagate": True}}},
        **where,
    )
    server.on_startup(beside.start)
    server.on_shutdown(beside.stop)
    server.serve(target_loader=load, wrap_loader=False)


SERVERS = {"gunicorn": _run_gunicorn, "granian": _run_granian}


def server_options(function: Callable[..., Any]) -> Callable[..., Any]:
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
    server = click.option(
        "--server",
        type=click.Choice(list(SERVERS)),
        default="gunicorn",
        show_default=True,
        help="Which web server; granian comes with the extra of that name.",
    )
    return bind(workers(server(function)))


@click.command(name="serve", epilog=EXAMPLES)
@server_options
def command(bind: str, workers: int | None, server: str) -> None:
    """Answer the API until Ctrl-C or SIGTERM.

    The address is printed when the first answer has come. Logs go to standard error, without
    any credential.
    """
    path = f"{config.from_environment().admin_path}/api.php"
    address = listen(bind)

    def ready() -> None:
        _warn_of_closed_doors()
        put_line(f"Serving {address.url}{path if address.is_http else ''}")

    run(server, address, workers, ready)


def _warn_of_closed_doors() -> None:
    """Warn when nobody may use either API yet."""
    # In a worker, which has them in any case: the parent of reloaded workers must not import them.
    from app.cli.output import warn
    from models.access import accesses, secrets
    from models.store.base import database
    from models.store.errors import AWAY

    with suppress(*AWAY), database.connection_context():
        if not (accesses.any_enabled() or secrets.any_active()):
            warn("Nobody may use the API yet: promobridge access add, or promobridge secret add")


def _announce(address: Address, ready: Callable[[], None]) -> None:
    """Call `ready` when the first answer has come."""
    end = time.monotonic() + FIRST_ANSWER_SECONDS
    while address.is_http:
        host = urlsplit(address.url).netloc
        with (
            suppress(OSError, http.client.HTTPException),
            closing(http.client.HTTPConnection(host, timeout=FIRST_ANSWER_SECONDS)) as client,
        ):
            client.request("HEAD", "/api.php", headers={"Connection": "close"})
            client.getresponse()
            break
        if time.monotonic() > end:
            return
        time.sleep(LOOK_SECONDS)
    with suppress(OSError):  # whoever closed standard output needs no announcement
        ready()
