"""Copies of a store to another database, verified by the digests of its tables."""
