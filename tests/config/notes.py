"""Something to write into a database and to find again."""

import psycopg

from config.postgres import Running


def note(running: Running, words: str) -> None:
    with psycopg.connect(running.url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS notes (words text)")
        connection.execute("INSERT INTO notes VALUES (%s)", [words])


def notes(running: Running) -> list[str]:
    with psycopg.connect(running.url) as connection:
        return [row[0] for row in connection.execute("SELECT words FROM notes")]
