"""Checks: recount every kept count."""
