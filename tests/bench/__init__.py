"""`python -m tests.bench`: what a paid call costs us, next to a view that only passes it through, in one run.

Stands alone: its own durable PostgreSQL, fake upstream and load generator, all on this machine.
"""
