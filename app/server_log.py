"""What gunicorn logs, without a credential: its own lines, and one for each request."""

from __future__ import annotations

import ipaddress
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import lru_cache
from logging import INFO
from typing import Any

from gunicorn import glogging

from app import config, log_lines, request_ids
from app.masking import MASK, MASKING, masked

KEPT = 1024
"""How many paths and addresses are remembered in their shown form."""
PATH_CHARACTERS = 200
PLAIN_PATH = re.compile(rf"[A-Za-z0-9._~/-]{{0,{PATH_CHARACTERS}}}")
"""Of a path only this much is shown: `/api.php&api_key=…` is a path too, and so is %3Fapi_key."""
STREAMS = (logging.StreamHandler, logging.FileHandler)
PLAIN_METHOD = re.compile(r"[A-Z]{3,20}")


class Logger(glogging.Logger):
    """Log as gunicorn does, to standard error, with every handler masked."""

    def setup(self, cfg: Any) -> None:
        """Set the handlers up, again after each reload."""
        settings = config.from_environment()
        self.as_json = settings.log_format == config.JSON
        self.each_request = bool(settings.access_log)
        self.form = cfg.access_log_format
        super().setup(cfg)
        lines = log_lines.formatter(settings, self.error_fmt, self.datefmt)
        for handler in self.access_log.handlers:
            # Standard output belongs to the command: `demo --json` prints one value there.
            if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout:
                handler.setStream(sys.stderr)
        if not logging.root.handlers:
            logging.root.addHandler(logging.StreamHandler())
        for log in (logging.root, *glogging.loggers()):
            # An access line is made of harmless atoms alone; looking again would double its cost.
            for handler in log.handlers if log is not self.access_log else ():
                handler.addFilter(MASKING)
                handler.setFormatter(lines)

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Count the answer, write its line, and let the request's name go."""
        line = Line(resp, environ, request_time)
        if self.each_request and self.access_log_enabled:
            self._write(log_lines.access_line(line) if self.as_json else self.form % line)
        request_ids.end()

    def _write(self, line: str) -> None:
        """Write a line to the access log; a record for it would cost five times as much."""
        for handler in self.access_log.handlers:
            if type(handler) in STREAMS:
                with handler.lock:
                    handler.stream.write(f"{line}\n")
                    handler.stream.flush()
            else:
                handler.handle(self.access_log.makeRecord("access", INFO, "", 0, line, (), None))


class Line:
    """Hold what an access line may say, whatever its form: no query, no header."""

    status: str
    method: str
    path: str
    version: str
    address: str
    microseconds: int

    def __init__(self, resp: Any, environ: Mapping[str, Any], taken: timedelta) -> None:
        self.environ = environ
        self.status = str(resp.status or "none").partition(" ")[0]  # none: it broke off before
        self.sent = resp.sent
        self.microseconds = taken // timedelta(microseconds=1)
        self.method = _method(str(environ.get("REQUEST_METHOD")))
        self.path = _path(str(environ.get("PATH_INFO", "")))
        self.asks = bool(environ.get("QUERY_STRING"))
        self.version = str(environ.get("SERVER_PROTOCOL"))
        self.address = _address(str(environ.get("REMOTE_ADDR", "")))

    @property
    def query(self) -> str:
        """Return what stands for a query."""
        return f"?{MASK}" if self.asks else ""

    def __getitem__(self, name: str) -> Any:
        """Return what a form as gunicorn has them asks for, "-" for what is unknown."""
        shown = ATOMS.get(name)
        return "-" if shown is None else shown(self)


@lru_cache(maxsize=2)
def _moment(seconds: int) -> str:
    """Return a time in the Common Log Format."""
    return time.strftime("[%d/%b/%Y:%H:%M:%S %z]", time.localtime(seconds))


ATOMS: dict[str, Callable[[Line], Any]] = {
    "h": lambda line: line.address,
    "t": lambda line: _moment(int(time.time())),
    "r": lambda line: f"{line.method} {line.path}{line.query} {line.version}",
    "m": lambda line: line.method,
    "U": lambda line: line.path,
    "q": lambda line: line.query,
    "H": lambda line: line.version,
    "s": lambda line: line.status,
    "b": lambda line: "-" if line.sent is None else str(line.sent),
    "B": lambda line: line.sent,
    "T": lambda line: line.microseconds // 1_000_000,
    "D": lambda line: line.microseconds,
    "M": lambda line: line.microseconds // 1000,
    "L": lambda line: f"{line.microseconds / 1_000_000:.6f}",
    "p": lambda line: f"<{os.getpid()}>",
    "i": lambda line: request_ids.current(),
}
"""gunicorn's names, and `i` for the request's own."""


@lru_cache(maxsize=KEPT)
def _method(method: str) -> str:
    return method if PLAIN_METHOD.fullmatch(method) else MASK


@lru_cache(maxsize=KEPT)
def _path(path: str) -> str:
    plain = PLAIN_PATH.match(path)
    kept = plain[0] if plain else ""
    return masked(kept) + (MASK if kept != path else "")


@lru_cache(maxsize=KEPT)
def _address(text: str) -> str:
    """Return an address in its plain form; behind proxies it is only text that was sent."""
    try:
        return ipaddress.ip_address(text).compressed
    except ValueError:
        return "-"
