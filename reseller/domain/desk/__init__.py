"""What staff look at, put together from everything to its left: search, a customer, a call, the set-up list.

Reads, apart from the set-up list's confirmations. Changes go through the verbs of the module that owns the table.
"""
