"""Campaigns: codes worth points, their batches, how they are made, found and listed."""
