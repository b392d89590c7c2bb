"""Redemptions: the rules of use, redeeming, releasing, and the log."""
