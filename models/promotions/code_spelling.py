"""Spelling of campaign codes: prefixes, normalized forms and masks."""

from __future__ import annotations

import re
import unicodedata
from itertools import combinations

from models.store.texts import code_form

PREFIX_CHARACTERS = 4
"""How much of the slug every generated code begins with."""
DRAWN = 8
"""How many characters of a generated code are drawn."""
TAIL = 2
"""How many last characters a masked code shows."""
# Without a look-ahead: what makes texts or clients from the OpenAPI document is slow with one.
OWN = re.compile(r"[\x21-\x7e]{0,31}[A-Za-z0-9][\x21-\x7e]{0,31}")
"""A code that a campaign may bring along, of at most 32 characters: printable ASCII, no blanks."""
# guess: none of O 0 I 1 L is in a code, so whoever types one misread its nearest neighbour.
REPAIRS = str.maketrans({"O": "Q", "0": "Q", "I": "J", "1": "J", "L": "J"})


_BLANKS_AND_HYPHEN = {at: None for at in range(128) if chr(at).isspace() or chr(at) == "-"}


def prefix(slug: str) -> str:
    """Return what every code generated for a campaign begins with."""
    return f"{slug[:PREFIX_CHARACTERS].upper()}-"


def folded(text: str) -> str:
    """Return a code in upper case without blanks and hyphens."""
    plain = unicodedata.normalize("NFKC", text).upper()
    if plain.isascii():
        return plain.translate(_BLANKS_AND_HYPHEN)
    return "".join(c for c in plain if not c.isspace() and unicodedata.category(c) != "Pd")


def candidates(text: str) -> list[str]:
    """Return the codes that a text may stand for, the likeliest first.

    After the prefix of a generated code look-alikes are repaired.
    """
    plain = text.strip()
    fold = folded(text)
    head, tail = fold[:-DRAWN], fold[-DRAWN:].translate(REPAIRS)
    forms = [f"{form}-{tail}" for form in _prefixes(head)]
    return list(dict.fromkeys([plain, plain.upper(), fold, *forms]))


def candidate_forms(text: str) -> list[str]:
    """Return the forms of those candidates that can be codes, the likeliest first."""
    forms = (code_form(code) for code in candidates(text))
    return list(dict.fromkeys(form for form in forms if form))


def masked(code: str, prefix: str) -> str:
    """Return a code with all but the prefix of its batch and its last characters hidden."""
    head = prefix if code.startswith(prefix) else ""
    rest = code[len(head) :]
    tail = rest[-TAIL:] if len(rest) > TAIL else ""
    return f"{head}{'*' * (len(rest) - len(tail))}{tail}"


def _prefixes(head: str) -> list[str]:
    """Return every beginning of a slug, in upper case, that is `head` without its hyphens."""
    if not head or len(head) > PREFIX_CHARACTERS or not head.isascii():
        return []
    found = [head]
    for hyphens in range(1, PREFIX_CHARACTERS - len(head) + 1):
        size = len(head) + hyphens
        for at in combinations(range(1, size), hyphens):
            letters = iter(head)
            found.append("".join("-" if n in at else next(letters) for n in range(size)))
    return found
