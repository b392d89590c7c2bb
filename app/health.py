"""Whether this process can answer: for a supervisor (`/healthz`) and a balancer (`/readyz`)."""

from __future__ import annotations

import logging

from app import faults
from models import errors, schema
from models.base import database

AWAY = "The store cannot be reached"
log = logging.getLogger(__name__)


def not_ready() -> str:
    """Return why this process cannot answer, in a few plain words, or "" when it can."""
    try:
        database.connect(reuse_if_open=True)
        try:
            return schema.mismatch()
        finally:
            database.rest()
    except errors.AWAY:
        return AWAY  # not logged: a probe asks every few seconds, and every real request says it
    except Exception as problem:  # noqa: BLE001  # a damaged store fails in ways of its own
        log.error("The store could not be looked at: %s", faults.place(problem))
        return AWAY
