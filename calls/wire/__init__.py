"""Schemas of the arguments and answers of the legacy calls."""
