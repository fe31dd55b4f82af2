"""Texts of the description mark code by backticks. Templates write the pieces; nothing is HTML before that."""


def pieces(text: str) -> list[tuple[bool, str]]:
    """The text in order, each piece with whether it is code. A backtick without its pair is text."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        parts[-2:] = ["`".join(parts[-2:])]
    return [(bool(number % 2), part) for number, part in enumerate(parts) if part]
