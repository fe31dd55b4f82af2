"""Backups of the whole database, and the way back: taken from one snapshot, restored whole or not at all, proved before use (R35).

`taking` makes a file, `loading` puts one into an empty database, `finishing` makes of it a shop that may open, `proving` does
both elsewhere and says whether it would work. The file is an archive of pg_dump that ends in our manifest (`archive`), so
PostgreSQL's own tools read it, too. Between a restore's first byte and its last check the database refuses to be written by
anybody else (`marking`): one that was left half-way never looks good.
"""

from collections.abc import Callable

Tell = Callable[[str], None]
"""Whoever waits for it hears how far it has come."""
