"""The test double: both APIs over a store of its own, whose time and faults tests set."""
