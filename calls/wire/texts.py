"""Checks of the texts that a call stores."""

from marshmallow.validate import Regexp

from models.store.texts import CONTROLS

ONE_LINE = Regexp(rf"[^{CONTROLS}]*\Z", error="must be one line of text without control characters")
SOME_LINES = Regexp(
    r"[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*\Z",
    error="must hold no control characters but tabs and ends of lines",
)
