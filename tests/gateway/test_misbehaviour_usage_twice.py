"""More than one usage in a stream: the last valid one wins, whole, and an unsound one flags the request (R8)."""

from tests.fakes.bytes_of_http import COST, DONE, FINISH, HELLO, TEXT, TOLD, WORLD, chunked, event, finished, said
from tests.gateway.misbehaving import PAID, Case, Row, check, inline, listed, recorded
from tests.shop import Shop

EARLY_COST = "0.00987654321098"


def told(prompt: int = 3, completion: int = 2, cost: str | None = EARLY_COST, *, has_id: bool = True) -> bytes:
    priced = "" if cost is None else f',"cost":{cost}'
    claimed = f'{{"prompt_tokens":{prompt},"completion_tokens":{completion}{priced}}}'
    return event([], usage=claimed.encode(), has_id=has_id)


UNSOUND = event([], usage=b'{"prompt_tokens":-1,"completion_tokens":7,"cost":9}')
WORDS = (HELLO, WORLD, FINISH)
NAMELESS = tuple(event(choices, has_id=False) for choices in (said("Hello "), said("world"), finished()))


def test_the_last_valid_usage_wins_whole(rough: Shop) -> None:
    """R8: fields of several usages are never mixed."""
    growing = [
        event(said(word), usage=f'{{"prompt_tokens":3,"completion_tokens":{n},"cost":0.00{n}}}'.encode())
        for n, word in enumerate(("Hello ", "world"), 1)
    ]
    sequences: dict[str, tuple[tuple[bytes, ...], Row]] = {
        "two": ((*WORDS, told(), TOLD, DONE), PAID),
        "a smaller one last": ((*WORDS, TOLD, told(1, 1, "0.000000001"), DONE), inline("0.000000001")),
        "one at either end": ((told(), *WORDS, TOLD, DONE), PAID),
        "growing with the text": ((*growing, FINISH, TOLD, DONE), PAID),
        "growing and not told again": ((*growing, FINISH, DONE), inline("0.002")),
        "null after it": ((*WORDS, TOLD, event([], usage=b"null"), DONE), PAID),
        "a cost, then none": ((*WORDS, told(), told(11, 7, None), DONE), recorded()),
        "no cost, then one": ((*WORDS, told(11, 7, None), TOLD, DONE), PAID),
        "after done": ((*WORDS, DONE, TOLD), recorded()),
        "before done and after": ((*WORDS, told(), DONE, TOLD), inline(EARLY_COST)),
        "zero last": ((*WORDS, TOLD, told(0, 0, "0"), DONE), inline("0")),
    }  # fmt: skip

    check(
        rough,
        [
            Case(f"usages: {name}", chunked(*frames), "200 done", row, is_stream=True, text=TEXT)
            for name, (frames, row) in sequences.items()
        ],
    )


def test_without_a_record_the_last_usage_alone_is_priced(rough: Shop) -> None:
    """R7, R8: tokens of the last one at the list price; the first one's cost is forgotten."""
    frames = (*NAMELESS, told(has_id=False), told(11, 7, None, has_id=False), DONE)

    check(rough, [Case("usages without id", chunked(*frames, has_id=False), "200 done", listed(11, 7), is_stream=True, text=TEXT)])


def test_an_unsound_usage_does_not_undo_a_sound_one(rough: Shop) -> None:
    """R8: the last valid one wins."""
    sequences = {
        "first": (*WORDS, UNSOUND, TOLD, DONE),
        "last": (*WORDS, TOLD, UNSOUND, DONE),
        "only text": (*WORDS, TOLD, event([], usage=b'"x"'), DONE),
    }
    customers = rough.customer(limits=False)
    for name, frames in sequences.items():
        rough.fake.plans[f"unsound {name}"] = {"wire": (chunked(*frames),)}
        assert customers.chat(messages=[{"role": "user", "content": f"unsound {name}"}], stream=True).frames[-1] == "[DONE]"

    assert [(row["cost_source"], row["charge_nano"]) for row in customers.rows] == [("inline", PAID[3])] * 3


def test_an_unsound_usage_flags_the_request_also_beside_a_sound_one(rough: Shop) -> None:
    """R8: anything else counts as missing and flags the request."""
    sequences = {"first": (*WORDS, UNSOUND, TOLD, DONE), "last": (*WORDS, TOLD, UNSOUND, DONE)}
    row = inline(COST, "usage_invalid")

    check(
        rough, [Case(f"flagged {name}", chunked(*frames), "200 done", row, is_stream=True, text=TEXT) for name, frames in sequences.items()]
    )
