"""Arguments that are ids and counts, both up to what a 32-bit column holds."""

from functools import partial

from marshmallow.validate import Range

from calls import Params, php

LARGEST_COUNT = 2_147_483_647
LARGEST_SAVED_ID = 2_000_000_000
"""The largest id that an import brings: rows that are made here get higher ones."""

Id = partial(php.Whole, minimum=1, maximum=LARGEST_COUNT)
"""Load an id."""
Count = partial(php.Whole, maximum=LARGEST_COUNT, load_default=0)
"""Load a count, or an id that may be 0 for none; absent is 0."""


class BatchIdParams(Params):
    """Name the batch that the call is about."""

    id = Id(required=True, description="The batch.", call_only=True)


def within(least: int, most: int) -> list[Range]:
    """Return the checks that a number is in a range, bounds included."""
    return [
        Range(min=least, error="must be {min} or more"),
        Range(max=most, error="must be {max} or less"),
    ]
