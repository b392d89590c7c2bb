"""Imports, exports and backups of the store as files."""
