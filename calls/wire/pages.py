"""Pages of the legacy lists: `page` and `perpage` in, `sorter` out."""

from __future__ import annotations

import hashlib
import marshal
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from typing import Any

from marshmallow import post_load

from calls import Caller, Params, php
from calls.wire.ids import LARGEST_COUNT
from models.store.prepared import QueryResult

TAG_DIGITS = 32
MARSHAL = 2


@dataclass(frozen=True)
class Page:
    """Say which page of a list is asked for: its number from 0 and its size."""

    number: int
    size: int

    def sorter(self, total: int) -> dict[str, object]:
        """Return the answer's `sorter` for a list of `total` records.

        `sorterpage` is the number of the next page, on the last page too, and `sorterrecords` a
        string in both promo calls.
        """
        return {
            "perpage": self.size,
            "totalpages": -(-total // self.size),
            "sorterrecords": str(total),
            "sorterpage": self.number + 1,
        }

    def tag(self, caller: Caller, total: int, found: QueryResult) -> str:
        """Return the ETag of a page; `found` is the query result that it is rendered from."""
        shown = str(caller.zone), caller.places
        rows = found.raw, found.backwards
        facts: Any = _version(), shown, self.number, self.size, total, rows
        # A tenth of what `repr` takes; later versions of marshal write equal facts in two ways.
        return hashlib.sha256(marshal.dumps(facts, MARSHAL)).hexdigest()[:TAG_DIGITS]


class PageParams(Params):
    """Declare the arguments that every list takes; they are loaded as one, the `page`."""

    page = php.Whole(
        load_default=0,
        minimum=0,
        maximum=LARGEST_COUNT,
        bare=True,
        description="The page, counted from 0.",
    )
    perpage = php.Whole(
        load_default=None, minimum=1, maximum=LARGEST_COUNT, description="Rows of a page."
    )

    def sizes(self) -> tuple[int, int]:
        """Return the default and the largest size of a page."""
        settings = self.caller.settings
        return settings.codes_per_page, settings.codes_per_page_max

    @post_load
    def _paged(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        usual, most = self.sizes()
        size = min(data.pop("perpage") or usual, most)
        return data | {"page": Page(data["page"], size)}


class BatchPageParams(PageParams):
    """Declare the page arguments of lists of batches."""

    def sizes(self) -> tuple[int, int]:
        """Return the default and the largest size of a page."""
        settings = self.caller.settings
        return settings.batches_per_page, settings.batches_per_page_max


@cache
def _version() -> str:
    try:
        return metadata.version("promobridge")
    except metadata.PackageNotFoundError:  # run from a folder that was never installed
        return ""
