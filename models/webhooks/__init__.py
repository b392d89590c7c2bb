"""Webhooks: who is told of changes, what happened, and what was delivered."""
