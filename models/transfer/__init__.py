"""Copies of a store to another database, proved equal by the digests of its tables."""
