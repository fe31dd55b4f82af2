"""A shop that has been open for a quarter of a year: how long its pages take, and by which way they find their rows.

`python -m tests.volume` fills a database and prints the times; `test_plans` looks at plans on a smaller one, without a clock.
"""
