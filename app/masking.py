"""Keep credentials out of the server's logs: they travel in query strings and in bodies."""

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

from app import faults

MASK = "…"
KEPT = 1024
"""How many paths and addresses are remembered in their shown form."""
PATH_CHARACTERS = 200
PLAIN_PATH = re.compile(rf"[A-Za-z0-9._~/-]{{0,{PATH_CHARACTERS}}}")
"""Of a path only this much is shown: `/api.php&api_key=…` is a path too, and so is %3Fapi_key."""
PLAIN_METHOD = re.compile(r"[A-Z]{3,20}")
SECRETS = (
    re.compile(r"(?P<kept>\?)(?=\S)[^\s\"'<>]*"),
    # PHP reads `api.key` and `api key` as api_key; bodies write it as JSON or as a multipart part.
    re.compile(
        r"(?P<kept>api(?:[_. +-]|%5f|%2e|%20)?(?:key|id)\b)"
        r"(?:\\[\"']|[\"'=:;\[\]]|%[0-9a-f]{2})(?:\\[rn\"']|[\"'=:;\s\[\]]|%[0-9a-f]{2})*"
        r"[^\s&\"',;<>\\]*",
        re.IGNORECASE,
    ),
    re.compile(r"(?P<kept>sk_(?:live|test)_)[0-9a-z]+", re.IGNORECASE),
    re.compile(r"(?P<kept>)(?<![0-9a-f])[0-9a-f]{20}(?![0-9a-f])", re.IGNORECASE),
)
"""A query string; a value after the name of a credential; anything of a generated key's form."""


def masked(text: str) -> str:
    """Return the text without query strings and without what looks like a credential."""
    for secret in SECRETS:
        text = secret.sub(rf"\g<kept>{MASK}", text)
    return text


class Masking(logging.Filter):
    """Mask every record; a fault is named by its kind and place, as its text may quote a client."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place and let it pass."""
        if isinstance(record.args, tuple):
            record.args = tuple(map(_nameable, record.args))
        text = masked(str(_nameable(record.msg)) if not record.args else record.getMessage())
        if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
            text += f": {faults.place(record.exc_info[1])}"
        record.msg, record.args = text, None
        record.exc_info = record.exc_text = record.stack_info = None
        return True


MASKING = Masking()


class Logger(glogging.Logger):
    """Log as gunicorn does, to standard error, with every handler masked."""

    def setup(self, cfg: Any) -> None:
        """Set the handlers up, again after each reload."""
        super().setup(cfg)
        for handler in self.access_log.handlers:
            # Standard output belongs to the command: `demo --json` prints one value there.
            if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout:
                handler.setStream(sys.stderr)
        if not logging.root.handlers:
            ours = logging.StreamHandler()
            ours.setFormatter(logging.Formatter(self.error_fmt, self.datefmt))
            logging.root.addHandler(ours)
        for log in (logging.root, *glogging.loggers()):
            # An access line is made of harmless atoms alone; looking again would double its cost.
            for handler in log.handlers if log is not self.access_log else ():
                handler.addFilter(MASKING)

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
            "s": str(resp.status).partition(" ")[0],
            "b": "-" if resp.sent is None else str(resp.sent),
            "B": resp.sent,
            "T": microseconds // 1_000_000,
            "D": microseconds,
            "M": microseconds // 1000,
            "L": f"{microseconds / 1_000_000:.6f}",
            "p": f"<{os.getpid()}>",
        }


def _nameable(value: Any) -> Any:
    return type(value).__name__ if isinstance(value, BaseException) else value


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
