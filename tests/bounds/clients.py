"""Clients that send slowly, read slowly, or do neither; and upstreams that answer so, many calls at once."""

from collections import Counter

from tests.bounds.upstream import BYTE, COMMENTS, FLOOD, HEAD, SILENT
from tests.bounds.wire import Misbehaviour, Target, Wire, chat, side_by_side

SLOW_CLIENTS, IDLE_CLIENTS, READERS, UPSTREAM_CALLS = 200, 500, 20, 300


async def head_byte_by_byte(target: Target) -> Counter[str]:
    return await _dribble(target, target.request(chat()), 0)


async def body_byte_by_byte(target: Target) -> Counter[str]:
    return await _dribble(target, target.request(chat()), len(target.head("Content-Length: 100")))


async def large_body_byte_by_byte(target: Target) -> Counter[str]:
    """Heads that promise ten megabytes each."""
    head = target.head("Content-Length: 10000000")
    return await _dribble(target, head + b" " * 1000, len(head))


async def nothing_is_sent(target: Target) -> Counter[str]:
    async def work(wire: Wire, seen: Counter[str]) -> None:
        await target.rest(target.seconds)

    return await side_by_side(target, IDLE_CLIENTS, work, per_second=4000)


async def nothing_is_read(target: Target) -> Counter[str]:
    async def work(wire: Wire, seen: Counter[str]) -> None:
        await wire.send(target.request(chat(model=FLOOD, stream=True)))
        await target.rest(target.seconds)

    return await side_by_side(target, READERS, work)


async def read_byte_by_byte(target: Target) -> Counter[str]:
    async def work(wire: Wire, seen: Counter[str]) -> None:
        await wire.send(target.request(chat(model=FLOOD, stream=True)))
        while not target.is_over:
            await wire.receive(1)
            await target.rest()

    return await side_by_side(target, READERS, work)


async def _dribble(target: Target, request: bytes, at_once: int) -> Counter[str]:
    async def work(wire: Wire, seen: Counter[str]) -> None:
        await wire.send(request[:at_once])
        for byte in request[at_once:]:
            await target.rest()
            await wire.send(bytes([byte]))

    return await side_by_side(target, SLOW_CLIENTS, work)


def slow_upstream(model: str, connections: int = UPSTREAM_CALLS, *, per_second: float = 400) -> Misbehaviour:
    """Streams of one account from such an upstream, all at once."""

    async def misbehave(target: Target) -> Counter[str]:
        async def work(wire: Wire, seen: Counter[str]) -> None:
            await wire.send(target.request(chat(model=model, stream=True)))
            first = await wire.receive()
            seen[first[9:12].decode()] += 1
            while await wire.receive():
                pass

        return await side_by_side(target, connections, work, per_second=per_second)

    return misbehave


MISBEHAVIOURS: dict[str, Misbehaviour] = {
    "head byte by byte": head_byte_by_byte,
    "body byte by byte": body_byte_by_byte,
    "large body byte by byte": large_body_byte_by_byte,
    "nothing is sent": nothing_is_sent,
    "nothing is read": nothing_is_read,
    "read byte by byte": read_byte_by_byte,
    "silent upstream": slow_upstream(SILENT),
    "upstream silent after its head": slow_upstream(HEAD),
    "upstream byte by byte": slow_upstream(BYTE),
    "upstream comments for ever": slow_upstream(COMMENTS),
    "more streams than allowed": slow_upstream(COMMENTS, 130, per_second=1200),
}
