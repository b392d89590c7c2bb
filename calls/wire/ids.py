"""Arguments that are ids and counts, both up to what a 32-bit column holds."""

from functools import partial

from calls import Params, php

LARGEST_COUNT = 2_147_483_647

Id = partial(php.Whole, minimum=1, maximum=LARGEST_COUNT)
"""Load an id."""
Count = partial(php.Whole, maximum=LARGEST_COUNT, load_default=0)
"""Load a count, or an id that may be 0 for none; absent is 0."""


class IdParams(Params):
    """Name what the call is about by its id."""

    id = Id(required=True)
