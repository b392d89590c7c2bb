"""What gunicorn logs, without a credential: its own lines, and one for each request."""

from __future__ import annotations

import ipaddress
import logging
import os
import re
import sys
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Any

from gunicorn import glogging

from app import config, log_lines, metrics, request_ids
from app.masking import MASK, MASKING, masked

KEPT = 1024
"""How many paths and addresses are remembered in their shown form."""
PATH_CHARACTERS = 200
PLAIN_PATH = re.compile(rf"[A-Za-z0-9._~/-]{{0,{PATH_CHARACTERS}}}")
"""Of a path only this much is shown: `/api.php&api_key=…` is a path too, and so is %3Fapi_key."""
PLAIN_METHOD = re.compile(r"[A-Z]{3,20}")


class Logger(glogging.Logger):
    """Log as gunicorn does, to standard error, with every handler masked."""

    def setup(self, cfg: Any) -> None:
        """Set the handlers up, again after each reload."""
        settings = config.from_environment()
        self.as_json = settings.log_format == config.JSON
        self.each_request = bool(settings.access_log)
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
        status = str(resp.status or "none").partition(" ")[0]  # none: it broke off before
        metrics.answered(status)
        if self.each_request and self.access_log_enabled:
            if self.as_json:
                self.access_log.info(_line(resp, environ, status, request_time))
            else:
                super().access(resp, req, environ, request_time)
        request_ids.end()

    def atoms(
        self, resp: Any, req: Any, environ: Mapping[str, Any], request_time: Any
    ) -> dict[str, Any]:
        """Return what an access line may hold, whatever its format: no query, no header."""
        query = f"?{MASK}" if environ.get("QUERY_STRING") else ""
        method = _method(str(environ.get("REQUEST_METHOD")))
        path = _path(str(environ.get("PATH_INFO", "")))
        version = str(environ.get("SERVER_PROTOCOL"))
        microseconds = request_time // timedelta(microseconds=1)
        return {
            "h": _address(str(environ.get("REMOTE_ADDR", ""))),
            "t": self.now(),
            "r": f"{method} {path}{query} {version}",
            "m": method,
            "U": path,
            "q": query,
            "H": version,
            "s": str(resp.status or "none").partition(" ")[0],
            "b": "-" if resp.sent is None else str(resp.sent),
            "B": resp.sent,
            "T": microseconds // 1_000_000,
            "D": microseconds,
            "M": microseconds // 1000,
            "L": f"{microseconds / 1_000_000:.6f}",
            "p": f"<{os.getpid()}>",
            "i": request_ids.current(),
        }


def _line(resp: Any, environ: Mapping[str, Any], status: str, taken: timedelta) -> str:
    return log_lines.access_line(
        _method(str(environ.get("REQUEST_METHOD"))),
        _path(str(environ.get("PATH_INFO", ""))),
        bool(environ.get("QUERY_STRING")),
        str(environ.get("SERVER_PROTOCOL")),
        _address(str(environ.get("REMOTE_ADDR", ""))),
        status,
        resp.sent,
        taken // timedelta(microseconds=1),
    )


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
