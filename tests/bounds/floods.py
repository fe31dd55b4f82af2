"""Requests that are refused or cost nobody money, as fast as they can be sent."""

import asyncio
import re
from collections import Counter
from http.client import HTTPConnection
from urllib.parse import urlencode

from tests.bounds.wire import Misbehaviour, Target, Wire, chat, closed_loop, ended, side_by_side

CONNECTIONS = 16
PIPELINES = 4
AT_ONCE = 500
AT_THE_DOOR = 24
READS = ("/v1/models", "/v1/key", "/v1/credits", "/v1/usage?days=90")
PAGES = ("/", "/prices", "/docs/reference", "/sign-in", "/nowhere")
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


async def preflights(target: Target) -> Counter[str]:
    """What a browser asks before it asks; nobody need have a key for it."""
    ask = b"OPTIONS /v1/models HTTP/1.1\r\nHost: shop\r\nAccess-Control-Request-Headers: authorization\r\n\r\n"
    return await closed_loop(target, CONNECTIONS * 4, [ask])


async def pipelined_probes(target: Target) -> Counter[str]:
    """Requests that need no waiting, sent without waiting for their answers, which are read all the same."""
    burst = b"GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n" * AT_ONCE

    async def work(wire: Wire, seen: Counter[str]) -> None:
        async def send() -> None:
            while True:
                await wire.send(burst)

        sending = asyncio.create_task(send())
        try:
            while piece := await wire.receive(1 << 20):
                seen["200"] += piece.count(b"HTTP/1.1 200")
        finally:
            await ended([sending])

    return await side_by_side(target, PIPELINES, work)


async def malformed_heads(target: Target) -> Counter[str]:
    """No header at all, full of what a log might want to look at twice."""
    return await closed_loop(target, CONNECTIONS, [target.request(chat(), ":" + "://a:" * 3200), target.request(chat(), "Bearer " * 2000)])


async def reads(target: Target) -> Counter[str]:
    """What a key may ask for free."""
    head = f"HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {target.key}\r\n\r\n"
    return await closed_loop(target, AT_THE_DOOR, [f"GET {path} {head}".encode() for path in READS])


async def pages(target: Target) -> Counter[str]:
    """What anybody may open, each worth dozens of calls."""
    asks = [f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for path in PAGES]
    return await closed_loop(target, AT_THE_DOOR, asks)


async def sign_ins(target: Target) -> Counter[str]:
    """Wrong passwords for addresses that are not there, until the network is told to wait: each is hashed all the same (R26)."""
    cookie, token = await asyncio.to_thread(_form_of, target.port)

    def attempt(number: int) -> bytes:
        body = urlencode({"csrf_token": token, "email": f"nobody-{number}@example.com", "password": "wrong, and long enough"}).encode()
        lines = f"Host: localhost\r\nCookie: {cookie}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}"
        return f"POST /sign-in HTTP/1.1\r\n{lines}\r\n\r\n".encode() + body

    return await closed_loop(target, AT_THE_DOOR, [attempt(number) for number in range(AT_THE_DOOR)])


def _form_of(port: int) -> tuple[str, str]:
    """Cookie and token of a browser that has opened the form."""
    connection = HTTPConnection("localhost", port)
    connection.request("GET", "/sign-in")
    answer = connection.getresponse()
    cookie = (answer.headers["Set-Cookie"] or "").partition(";")[0]
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', answer.read().decode())
    connection.close()
    assert found is not None
    return cookie, found[1]


MISBEHAVIOURS: dict[str, Misbehaviour] = {
    "wrong keys": wrong_keys,
    "wrong keys, large bodies": wrong_keys_and_large_bodies,
    "unknown routes": unknown_routes,
    "too many headers": too_many_headers,
    "preflights": preflights,
    "pipelined probes": pipelined_probes,
    "malformed heads": malformed_heads,
    "reads": reads,
    "pages": pages,
    "sign-ins": sign_ins,
}
