"""Terms that equal others but for some changes."""

from __future__ import annotations

from typing import Any

from models.promotions.terms import Terms


def but(terms: Terms, **changes: Any) -> Terms:
    """Return the terms that equal these but for the changes."""
    return Terms.of(**(terms.content() | changes))
