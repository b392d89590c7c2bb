"""Redemptions: whether a code may be used, its use, its release, and the log of both."""
