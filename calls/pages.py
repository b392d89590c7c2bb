"""Pages of the legacy lists: `page` and `perpage` in, `sorter` out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from calls import Params, php


class PageParams(Params):
    """Declare the arguments that every list takes."""

    page = php.Whole(load_default=0, minimum=0, bare=True)
    perpage = php.Whole(load_default=None, minimum=1)


@dataclass(frozen=True)
class Page:
    """Say which page of a list is asked for: its number from 0 and its size."""

    number: int
    size: int

    @classmethod
    def of(cls, number: int, size: int | None, usual: int, most: int) -> Self:
        """Return the page that is asked for, of the usual size and never over the most."""
        return cls(number, min(size or usual, most))

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
