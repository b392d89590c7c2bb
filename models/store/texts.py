"""Texts of one line: what none of them holds; codes as they are compared."""

from __future__ import annotations

import re
import unicodedata

CONTROLS = r"\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069"
"""Control characters, ends of lines and paragraphs, and what turns the direction of a text.

A part of a class of a regular expression, in Python and in JSON Schema alike.
"""
FORM_LENGTH = 96
"""The longest form: 32 characters of some scripts fold to three times as many."""
TYPED_LENGTH = 4 * FORM_LENGTH
"""The longest text that is compared with forms: characters may be typed in several parts."""
_REFUSED = re.compile(rf"[{CONTROLS}\ud800-\udfff]")


def is_one_line(text: str) -> bool:
    """Tell whether a text is one line that a terminal shows as it is, and that a store can hold."""
    return not _REFUSED.search(text)


def code_form(text: str) -> str | None:
    """Return a code as codes are compared: without case, Unicode form and blanks around it.

    None for a text that is no code: nothing, or too long.
    """
    if len(text) > TYPED_LENGTH:
        return None
    if text.isascii():
        plain = text.strip().lower()
    else:
        # What was folded may compose anew.
        folds = unicodedata.normalize("NFKC", text).casefold()
        plain = unicodedata.normalize("NFKC", folds).strip()
    return plain if 0 < len(plain) <= FORM_LENGTH else None
