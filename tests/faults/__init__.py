"""Money under fire: real kills, cuts, silences and lost answers, and what must hold after each of them.

The tests are the short version. `python -m tests.faults --minutes N` throws faults at random for as long as one likes.
"""
