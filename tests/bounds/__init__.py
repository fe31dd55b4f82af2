"""One tenant misbehaves, its neighbour must not notice (R29, R31): real servers, real sockets, a process for each side.

`pytest tests/bounds` takes a minute; `python -m tests.bounds --minutes N` takes its time and prints what it measured.
"""
