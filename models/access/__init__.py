"""Accesses and secrets, and the API usage log."""
