"""Texts of one line: what none of them holds."""

from __future__ import annotations

import re

CONTROLS = r"\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069"
"""Control characters, ends of lines and paragraphs, and what turns the direction of a text.

A part of a class of a regular expression, in Python and in JSON Schema alike.
"""
_REFUSED = re.compile(rf"[{CONTROLS}\ud800-\udfff]")


def is_one_line(text: str) -> bool:
    """Tell whether a text is one line that a terminal shows as it is, and that a store can hold."""
    return not _REFUSED.search(text)
