"""Pages of lists: which of them saved answers hold, and which are missing."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

NAMED = 20
"""How many missing pages a sentence names."""
DIGITS = 9


class ListedPages:
    """Collect what the sorters of answers say; answers without one are passed over."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int, int], set[int]] = {}

    def note(self, call: str, answer: Mapping[str, Any]) -> None:
        """Note one page of a list that a call answered."""
        sorter = answer.get("sorter")
        if not isinstance(sorter, dict):
            return
        pages, records, following = (
            _whole(sorter.get(name)) for name in ("totalpages", "sorterrecords", "sorterpage")
        )
        # The sorter says which page is next: that of page 0 is 1.
        if pages and following:
            self._seen.setdefault((call, pages, records), set()).add(following - 1)

    def missing(self) -> list[str]:
        """Return a sentence for each list of which pages are missing; pages count from 0."""
        sentences = []
        for (call, pages, records), seen in self._seen.items():
            held = sum(page < pages for page in seen)
            if held == pages:
                continue
            absent = islice((page for page in range(pages) if page not in seen), NAMED)
            named = ", ".join(map(str, absent))
            more = f" and {pages - held - NAMED:,} more" if pages - held > NAMED else ""
            sentences.append(
                f"{call} has {records:,} rows on {pages:,} pages, and the files hold {held:,} of "
                f"them: without {named}{more} (counted from 0) rows are missing"
            )
        return sentences


def _whole(value: Any) -> int:
    """Return a number as sorters write it, 0 for anything else."""
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS else 0
