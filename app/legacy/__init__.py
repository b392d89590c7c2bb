"""The legacy API, admin/api.php: one dispatcher for all calls, and its envelope."""
