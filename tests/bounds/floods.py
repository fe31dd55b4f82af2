"""Requests that are refused at once, as fast as they can be sent."""

from collections import Counter

from tests.bounds.wire import Misbehaviour, Target, chat, closed_loop

CONNECTIONS = 16
WRONG_KEY = "sk_live_9HnpzZzOOCi7oIZlbsWxk6HBRChQlBrkNkPYHCRhTQWuJ1fYt"


async def wrong_keys(target: Target) -> Counter[str]:
    requests = [target.request(chat(), key=key) for key in (WRONG_KEY, "nonsense", "sk_live_short", "")]
    return await closed_loop(target, CONNECTIONS, requests)


async def wrong_keys_and_large_bodies(target: Target) -> Counter[str]:
    """Bodies that nobody has asked for yet."""
    return await closed_loop(target, CONNECTIONS, [target.request(b"x" * 10_000_000, key=WRONG_KEY)])


async def unknown_routes(target: Target) -> Counter[str]:
    requests = [target.request(chat(), path=path) for path in ("/v1/nowhere", "/nowhere", "/v1/" + "x" * 2000)]
    return await closed_loop(target, CONNECTIONS, requests)


async def too_many_headers(target: Target) -> Counter[str]:
    """A block beyond 16 kB in one line, in a hundred, and more than a hundred short ones."""
    blocks = (
        ["X-Long: " + "x" * 17_000],
        [f"X-Filler-{number}: {'x' * 1000}" for number in range(90)],
        [f"X-Filler-{number}: x" for number in range(150)],
    )
    return await closed_loop(target, CONNECTIONS, [target.request(chat(), *block) for block in blocks])


MISBEHAVIOURS: dict[str, Misbehaviour] = {
    "wrong keys": wrong_keys,
    "wrong keys, large bodies": wrong_keys_and_large_bodies,
    "unknown routes": unknown_routes,
    "too many headers": too_many_headers,
}
