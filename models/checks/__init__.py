"""Checks: everything that is kept counted, counted again."""
