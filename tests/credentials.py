"""The credentials of the access that most tests ask with."""

from __future__ import annotations

from urllib.parse import urlencode

from models.access.accesses import Pair

PAIR = Pair("1122334455667788990a", "a9b8c7d6e5f4a3b2c1d0")
CREDENTIALS = {"api_id": PAIR.api_id, "api_key": PAIR.api_key}
QUERY = urlencode(CREDENTIALS)
"""Them as the beginning of a query string."""
