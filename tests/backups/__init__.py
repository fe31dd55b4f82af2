"""Backups: taken while customers call, restored elsewhere, and what must not come back with them."""
