"""Secrets are replaced while the shop goes on: what the old ones made still counts, what is made is made with the new ones."""
