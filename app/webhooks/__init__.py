"""Webhooks: events as signed requests to the addresses that want them."""
