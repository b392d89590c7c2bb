"""Webhooks: what happens to codes and batches, told to receivers that asked for it."""
