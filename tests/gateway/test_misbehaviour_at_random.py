"""Answers spoilt at random: whatever comes, the call ends in order and once, with a charge that somebody told (fault model)."""

import random

from tests.fakes.bytes_of_http import DONE, ERROR, FINISH, HELLO, TOLD, USAGE, WORLD, chat, chunked, event, said, sized
from tests.gateway.misbehaving import NOTHING, Case, Ended, ended, recorded, told
from tests.gateway.test_nothing_leaks import leaks_of
from tests.shop import Shop, charge_for

CASES = 150
SPICES = [
    *(b"\n", b"\n\n", b"\r", b"\r\n\r\n", b"data: ", b"data:", b": x", b"[DONE]", b"{", b"}", b"[", b"]", b"],", b'"', b"\\", b","),
    *(b"null", b"true", b"-1", b"1e999", b"NaN", b"9" * 30, b"\x00", b"\xff", b"\xef\xbb\xbf", b"\\ud83d", b"[" * 300),
    *(b'"error":{"code":429},', b'"error":"x",', b'"usage":null,', b'"usage":{"prompt_tokens":1},', b'"choices":[],'),
    *(b'"choices":null,', b'"finish_reason":"error",', b'"id":7,', b'"model":[],', b'"provider":"FakeInfra",'),
]
BODIES = [chat(), chat(None), chat(more=',"error":{"code":502,"message":"x"}'), chat(content="", finish="error")]
STREAMS = [
    [HELLO, WORLD, FINISH, TOLD, DONE],
    [HELLO] * 5 + [WORLD] * 5 + [FINISH, TOLD, DONE],
    [HELLO, WORLD, ERROR],
    [HELLO, WORLD, FINISH, DONE],
    [TOLD, HELLO, WORLD, FINISH, DONE],
    [event(said("a"), usage=b"null"), HELLO, event([], usage=USAGE), DONE],
]


def spoilt(text: bytes, chance: random.Random) -> bytes:
    """A few pieces of it are cut, doubled, moved, overwritten, or something is put between."""
    for _ in range(chance.randint(1, 3)):
        at, length = chance.randrange(len(text) + 1), chance.randint(1, 40)
        piece = text[at : at + length]
        text = chance.choice([
            text[:at] + chance.choice(SPICES) + text[at:],
            text[:at] + chance.choice(SPICES) + text[at + length :],
            text[:at] + text[at + length :],
            text[:at] + piece + piece + text[at + length :],
            text[:at],
        ])  # fmt: skip
    return text


def made(seed: int) -> Case:
    """One case of that seed: a whole answer or a stream with true framing around what was spoilt."""
    chance = random.Random(seed)
    is_stream = chance.random() < 0.7
    if not is_stream:
        return Case(f"spoilt {seed}", sized(spoilt(chance.choice(BODIES), chance)), "?", NOTHING)
    stream = spoilt(b"".join(chance.choice(STREAMS)), chance)
    size = chance.choice([1, 7, 100, 1_000_000])
    return Case(f"spoilt {seed}", chunked(*(stream[at : at + size] for at in range(0, len(stream), size))), "?", NOTHING, is_stream=True)


def oddities(call: Ended) -> list[str]:
    """What must not be, however the answer was spoilt."""
    heard, row = told(call.answer, is_stream=call.case.is_stream), call.row
    found = [heard] if call.answer is None or "HTML" in heard or heard in ("200 cut", "503 service_unavailable") else []
    found += [] if row["status"] in ("completed", "partial", "failed") else [row["status"]]
    found += [] if call.requests == 1 else [f"{call.requests} requests"]
    found += leaks_of(call.answer) if call.answer is not None else []
    if (row["status"] == "failed") != (heard not in ("200 answer", "200 done") and row["cost_source"] == "none"):
        found.append(f"{row['status']} by {row['cost_source']} after {heard!r}")
    if row["charge_nano"] != (0 if row["cost_usd"] is None else charge_for(row["cost_usd"])):
        found.append(f"charge {row['charge_nano']} for a cost of {row['cost_usd']}")
    if row["cost_source"] == "generation" and row["charge_nano"] != recorded()[3]:
        found.append(f"charge {row['charge_nano']} for the record's {recorded()[3]}")
    return found


def test_whatever_comes_a_call_ends_in_order(rough: Shop) -> None:
    """R1, R4, R8, R9, R28 at once: `made(seed)` shows what a case was."""
    calls = ended(rough, [made(seed) for seed in range(CASES)])

    assert {call.case.words: found for call in calls if (found := oddities(call))} == {}
    assert {call.row["status"] for call in calls} == {"completed", "partial", "failed"}
