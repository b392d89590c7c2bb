"""Why the panel gave no answer, in words that tell what to do."""

from __future__ import annotations

FORWARDED = "X-Promobridge-Forwarded"
"""Marks what we send: a request that comes with it has come round in a circle."""
NOT_CARRIED_OUT = "the call was not sent"
NOT_KNOWN = "it is not known whether the call was carried out"


class PanelProblem(Exception):
    """Say why the panel gave no answer, and what to do.

    `sent` is False where surely nothing of the request was sent; else it is not known whether the
    call was carried out. No credential and no query is in `sentence`.
    """

    def __init__(self, sentence: str, sent: bool) -> None:
        super().__init__(sentence)
        self.sentence, self.sent = sentence, sent
