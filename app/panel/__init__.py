"""Standing in front of a live panel: calls that are not answered here go through to it."""
