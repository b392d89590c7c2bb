"""Logging of servers and commands: one configuration, and no credential in any line."""

from __future__ import annotations

import ipaddress
import logging
import re
import time
import traceback
from collections import defaultdict
from logging.config import dictConfig
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from app import config
from app.cli.lines import visible
from app.config import Settings

MASK = "…"
LONGEST = 4096
"""Characters of a message that are looked at and written."""
SECRETS = (
    # gunicorn quotes what it could not read: a key can be anywhere in it.
    re.compile(r"(?P<kept>(?:Invalid request from ip=|No more data after:)[^'\"]*).*", re.DOTALL),
    re.compile(r"(?P<kept>Error handling request ).+", re.DOTALL),
    # A query string.
    re.compile(r"(?P<kept>\?)(?=\S)[^\s\"'<>]*"),
    # PHP reads `api.key` and `api key` as api_key; bodies write it as JSON or as a multipart part.
    re.compile(
        r"(?P<kept>api(?:[_. +-]|%5f|%2e|%20)?(?:key|id)\b)"
        r"(?:\\[\"']|[\"'=:;\[\]]|%[0-9a-f]{2})(?:\\[rn\"']|[\"'=:;\s\[\]]|%[0-9a-f]{2})*"
        r"[^\s&\"',;<>\\]*",
        re.IGNORECASE,
    ),
    # What an invitation's link ends with.
    re.compile(r"(?P<kept>/ui/invite/)[^\s\"'<>]+"),
    # Anything of a generated key's form.
    re.compile(r"(?P<kept>sk_(?:live|test)_)[0-9a-z]+", re.IGNORECASE),
    re.compile(r"(?P<kept>whsec_)[0-9a-z+/=_-]+", re.IGNORECASE),
    re.compile(r"(?P<kept>)(?<![0-9a-f])[0-9a-f]{20}(?![0-9a-f])", re.IGNORECASE),
)
METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
OURS = (*"tsbBTDMLHp", "{x-request-id}o")
"""Atoms of an access line that the server or we fill."""
ROUTE = "promobridge.route"
"""A WSGI variable that says the path has a route; no header of a client can set it."""
PATH = re.compile(r"[A-Za-z0-9._~/-]{0,200}")
"""What is shown of a path: `/admin/api.php` also of one with doubled slashes."""
OTHER_PATH = re.compile(r"(?:/[A-Za-z.]*(?![^/]))*")
"""What is shown of a path without a route: the parts before the first that is more than letters,
which may be somebody's key."""
OTHER_PATH_CHARACTERS = 64
REQUEST_ID = re.compile(r"[0-9A-Fa-f-]{16,64}")
"""UUIDs, trace ids, nginx's $request_id; a word that is somebody's key hardly ever."""


def configure(settings: Settings) -> None:
    """Configure logging to standard error, unless a server has done so in this process."""
    if not logging.root.handlers:
        dictConfig(configuration(settings))


def configuration(settings: Settings) -> dict[str, Any]:
    """Return the configuration for `logging.config.dictConfig` and gunicorn's logconfig_dict."""
    as_json = settings.log_format == config.JSON
    stderr = {"class": "logging.StreamHandler", "stream": "ext://sys.stderr"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"mask": {"()": Mask}, "atoms": {"()": Atoms}},
        "formatters": {
            "message": {"()": JsonLines, "fields": ["message"]} if as_json else {"()": TextLines},
            "access": {"()": JsonLines, "fields": []} if as_json else {"format": "%(message)s"},
        },
        "handlers": {
            "message": stderr | {"filters": ["mask"], "formatter": "message"},
            "access": stderr | {"filters": ["atoms"], "formatter": "access"},
        },
        "root": {"level": "INFO", "handlers": ["message"]},
        "loggers": {
            "gunicorn.error": {"propagate": True},
            "gunicorn.access": {
                "level": "INFO" if settings.access_log else "WARNING",
                "handlers": ["access"],
                "propagate": False,
            },
            "_granian": {"propagate": True},
            "granian.access": {"propagate": True},
        },
    }


def masked(text: str) -> str:
    """Return the beginning of a text without what is, or looks like, a credential."""
    if len(text) > LONGEST:
        text = text[:LONGEST].rpartition(" ")[0] + MASK  # a word cut in two may be most of a key
    for secret in SECRETS:
        text = secret.sub(rf"\g<kept>{MASK}", text)
    return text


def place(problem: BaseException) -> str:
    """Return the type of an exception and its traceback's lines, innermost last, without values."""
    frames = traceback.extract_tb(problem.__traceback__)[-6:]
    lines = " > ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
    return f"{type(problem).__name__} at {lines}"


def request_id() -> str:
    """Return the id of the request that is being answered, "" between requests."""
    from flask import g  # a command that logs nothing starts without Flask

    return g.get("request_id", "") if g else ""


def is_request_id(text: str) -> bool:
    """Tell whether a proxy's text can name a request in a log: it may pass on a client's."""
    return bool(REQUEST_ID.fullmatch(text)) and masked(text) == text


class Mask(logging.Filter):
    """Mask a record; an exception is named by kind and place, as its text may quote a client."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record in place and let it pass."""
        if isinstance(record.args, tuple):
            record.args = tuple(map(_nameable, record.args))
        text = masked(str(_nameable(record.msg)) if not record.args else record.getMessage())
        if isinstance(record.exc_info, tuple) and record.exc_info[1] is not None:
            text += f": {place(record.exc_info[1])}"
        record.msg, record.args = text, None
        record.exc_info = record.exc_text = record.stack_info = None
        if name := request_id():
            record.request_id = name
        return True


class Atoms(logging.Filter):
    """Keep those fields of gunicorn's access log that cannot hold a credential."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace the fields (gunicorn's atoms), and add those of a JSON line."""
        given: Any = record.args
        name, status = given["{x-request-id}o"], str(given["s"])
        said = {
            "name": "access",
            "request_id": "" if name == "-" else name,
            "address": _address(str(given["h"])),
            "method": given["m"] if given["m"] in METHODS else MASK,
            "path": _path(str(given["U"]), given[f"{{{ROUTE}}}e"] != "-"),
            "query": bool(given["q"]),
            "protocol": given["H"],
            "status": int(status) if status.isdigit() else None,  # none where the client has gone
            "bytes": given["B"] or 0,
            "milliseconds": given["D"] / 1000,
        }
        record.__dict__ |= said
        shown = {atom: given[atom] for atom in OURS} | {
            "h": said["address"], "m": said["method"], "U": said["path"]
        }  # fmt: skip
        record.args = defaultdict(lambda: "-", shown)
        return True


class JsonLines(JsonFormatter):
    """Write a record as an object with "time", "level", "logger", "pid", and the fields given."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, fields: list[str]) -> None:
        names = {"asctime": "time", "levelname": "level", "name": "logger", "process": "pid"}
        super().__init__([*names, *fields], rename_fields=names)

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Return what is written."""
        return log_data | {"level": log_data["level"].lower()}


class TextLines(logging.Formatter):
    """Write a record on one line for people; one of a request ends with its id."""

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s [%(process)d] [%(levelname)s] %(message)s", "[%Y-%m-%d %H:%M:%S %z]"
        )

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        name = getattr(record, "request_id", "")
        line = visible(" ".join(super().format(record).splitlines()))
        return line + (f" [{name}]" if name else "")


def _nameable(value: Any) -> Any:
    return type(value).__name__ if isinstance(value, BaseException) else value


def _path(text: str, has_route: bool) -> str:
    shown = PATH.match(text) if has_route else OTHER_PATH.match(text[:OTHER_PATH_CHARACTERS])
    kept = shown[0] if shown else ""
    return masked(kept) + (MASK if kept != text else "")


def _address(text: str) -> str:
    """Return an address in its plain form; behind proxies it is only text that was sent."""
    try:
        return "-" if "%" in text else ipaddress.ip_address(text).compressed
    except ValueError:
        return "-"
