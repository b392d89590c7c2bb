"""Transfer: proved copies of a whole store, backups and restores."""
