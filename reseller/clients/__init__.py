"""What is outside the product, each behind a small face: upstreams, payments, receivers, mail.

Not the business: nothing here knows accounts, prices or tables, and nothing of `domain` is
imported. A door asks the domain what to do and asks a client to do it.
"""
