"""A request that may go to the panel: who asks for what, and its body however large it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from flask import request

from app import request_body
from app.config import Settings
from app.panel.problem import FORWARDED, NOT_CARRIED_OUT, PanelProblem
from calls import WrongParameters, php

NAMES = ("call", "api_id", "api_key")
MOST_LOOKED_AT = 100_000
"""Arguments of a body that is passed on; another page may take more than we do."""
QUERY = re.compile(rb"[!-~\x80-\xff]*")
"""What a request line can hold: servers differ in what they let through."""


@dataclass(frozen=True)
class Incoming:
    """Hold a request: `body` is its whole body, or the first bytes of one over the usual limit.

    `named` has its call, API ID and key as far as they stand in its query or in these bytes.
    """

    query: bytes
    content_type: str
    body: bytes
    is_whole: bool
    named: Mapping[str | int, Any]
    is_checked: bool

    def arguments(self) -> Mapping[str | int, Any]:
        """Return all arguments, for a call that is answered here.

        Raises InvalidRequest, and RequestEntityTooLarge for a body over the usual limit.
        """
        if not self.is_whole:
            request_body.refuse_rest()
        return php.arguments(self.query, self.content_type, self.body)

    def to_send(self, settings: Settings) -> bytes | IO[bytes]:
        """Return the body to be sent: itself, or a file of all that came.

        Raises WrongParameters where what follows names another call or caller, InvalidRequest for
        what cannot be read, RequestEntityTooLarge, and PanelProblem without room for the file.
        """
        if self.is_whole:
            if not self.is_checked:
                _named(self.query, self.content_type, self.body, MOST_LOOKED_AT)
            return self.body
        try:
            file = request_body.spool(self.body, settings.panel_body_limit_bytes)
        except OSError:
            raise PanelProblem(
                f"There is no room to keep so large a request, try again later; {NOT_CARRIED_OUT}",
                sent=False,
            ) from None
        try:
            file.flush()
            written = php.LongBody(file.fileno())
            _named(self.query, self.content_type, written, MOST_LOOKED_AT)
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file


def read(settings: Settings) -> Incoming:
    """Return the request as far as the usual limit of bodies.

    Raises WrongParameters where call or caller are named twice and differently, InvalidRequest for
    what cannot be read, and PanelProblem for a request that we have sent ourselves.
    """
    if FORWARDED in request.headers:
        raise PanelProblem(
            "The panel's URL leads back to this service: set it to the panel itself; "
            + NOT_CARRIED_OUT,
            sent=False,
        )
    query, content_type = request.query_string, request.headers.get("Content-Type", "")
    if not QUERY.fullmatch(query) or not is_plain(content_type):
        raise php.InvalidRequest("the request has control characters in its head")
    body = request_body.begin(settings.body_limit_bytes)
    is_whole = len(body) <= settings.body_limit_bytes
    surely = body if is_whole else php.whole_arguments(content_type, body)
    named, is_checked = _named(query, content_type, surely, php.MAX_ARGUMENTS)
    return Incoming(query, content_type, body, is_whole, named, is_checked)


def _named(
    query: bytes, content_type: str, body: php.Body, most: int
) -> tuple[dict[str | int, Any], bool]:
    """Return call and caller, and whether all arguments were looked at. Raises WrongParameters."""
    found, is_all = php.values_of(NAMES, query, content_type, body, most)
    problems = {
        name: ["is given twice, with different values"] for name in NAMES if len(found[name]) > 1
    }
    if problems:
        raise WrongParameters.of(problems)
    if most > php.MAX_ARGUMENTS and not is_all:
        raise php.InvalidRequest("there are too many arguments")
    return {name: values[0] for name, values in found.items() if values}, is_all


def is_plain(text: str) -> bool:
    """Tell whether a text can be a header: it has no control characters but tabs."""
    return not any((mark < " " and mark != "\t") or mark == "\x7f" for mark in text)
