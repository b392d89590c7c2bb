"""Keep credentials out of every log: they travel in query strings and in bodies."""

from __future__ import annotations

import logging
import re
from typing import Any

from app import faults

MASK = "…"
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


def _nameable(value: Any) -> Any:
    return type(value).__name__ if isinstance(value, BaseException) else value
