"""Log lines for programs: one JSON object a line."""

from __future__ import annotations

import json
import logging
import os
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from app import config, request_ids
from app.config import Settings

if TYPE_CHECKING:
    from app.server_log import Line

KEPT = 1024
"""How many texts are remembered in their quoted form: paths and addresses repeat."""


class JsonLines(logging.Formatter):
    """Write a record, masked before, as {"time", "level", "logger", "message", "pid"}.

    A record of a request has its "request_id" too.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        said = {
            "time": f"{when[:-6]}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "pid": record.process,
        }
        name = request_ids.current()
        return json.dumps(said | ({"request_id": name} if name else {}))


class TextLines(logging.Formatter):
    """Write a record for people; one of a request ends with the request's name."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        name = request_ids.current()
        return super().format(record) + (f" [{name}]" if name else "")


def formatter(settings: Settings, text: str, date: str | None = None) -> logging.Formatter:
    """Return what writes the lines of a process; `text` is the form for people."""
    return JsonLines() if settings.log_format == config.JSON else TextLines(text, date)


def access_line(line: Line) -> str:
    """Return the line of one request as JSON; its texts must be without secrets.

    It is written by hand, as every request pays for it: json.dumps takes three times as long.
    """
    now = time.time()
    return (
        f'{{"time":"{_second(int(now))}.{int(now * 1000) % 1000:03}Z","level":"info",'
        f'"logger":"access","request_id":"{request_ids.current()}",'
        f'"address":{_quoted(line.address)},"method":{_quoted(line.method)},'
        f'"path":{_quoted(line.path)},"query":{"true" if line.asks else "false"},'
        f'"protocol":{_quoted(line.version)},'
        f'"status":{line.status if line.status.isdigit() else "null"},"bytes":{line.sent or 0},'
        f'"milliseconds":{line.microseconds / 1000},"pid":{os.getpid()}}}'
    )


@lru_cache(maxsize=KEPT)
def _quoted(text: str) -> str:
    return json.dumps(text)


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
