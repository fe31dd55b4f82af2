"""What an answer claims about tokens and cost, value by value: believed to the last digit, or missing and flagged (R8, R9)."""

from tests.fakes.bytes_of_http import COST, TEXT, chat, sized, stream_wire, whole_wire
from tests.gateway.misbehaving import PAID, Case, Row, check, inline, listed, recorded
from tests.shop import Shop

MOST = 256_000  # twice the context
INVALID = recorded("usage_invalid")
MISSING = recorded()


def usage(**changes: str | None) -> bytes:
    """A usage object of raw JSON values; None leaves a field out."""
    fields = {"prompt_tokens": "11", "completion_tokens": "7", "total_tokens": "18", "cost": COST} | changes
    return ("{" + ",".join(f'"{name}":{value}' for name, value in fields.items() if value is not None) + "}").encode()


def details(text: str) -> bytes:
    return usage(prompt_tokens_details=text)


BELIEVED: dict[str, tuple[bytes, Row]] = {
    "plain": (usage(), PAID),
    "as many tokens as can be": (usage(prompt_tokens=str(MOST), completion_tokens=str(MOST)), PAID),
    "no tokens": (usage(prompt_tokens="0", completion_tokens="0"), PAID),
    "nothing at all": (usage(prompt_tokens="0", completion_tokens="0", cost="0"), inline("0")),
    "zero cost": (usage(cost="0"), inline("0", "zero_cost")),
    "zero with places": (usage(cost="0.000"), inline("0", "zero_cost")),
    "minus zero": (usage(cost="-0.0"), inline("0", "zero_cost")),
    "a nano-dollar": (usage(cost="0.000000001"), inline("0.000000001")),
    "thirty places": (usage(cost="0.001234567890123456789012345678"), inline("0.001234567890123456789012345678")),
    "less than a nano-dollar": (usage(cost="1e-30"), inline("1e-30")),
    "an exponent": (usage(cost="1.5E-5"), inline("1.5E-5")),
    "a whole dollar": (usage(cost="1"), inline("1")),
    "more digits than a float": (usage(cost="0.10000000000000000555111512312578"), inline("0.10000000000000000555111512312578")),
    "fields nobody knows": (usage(speed='{"a":[1,2,{}]}', tokens="-5"), PAID),
    "spaces": (b'{ "prompt_tokens" : 11 ,\t"completion_tokens": 7, "cost" :%b }' % COST.encode(), PAID),
    "a key twice": (b'{"cost":9,"prompt_tokens":-1,"prompt_tokens":11,"completion_tokens":7,"cost":%b}' % COST.encode(), PAID),
    "no details": (usage(prompt_tokens_details="null", completion_tokens_details="{}"), PAID),
    "a bill of our own key": (usage(is_byok="true"), listed(11, 7)),
    "a bill of our own key without cost": (usage(is_byok="true", cost="null"), listed(11, 7)),
    "no cost": (usage(cost=None), MISSING),
    "cost null": (usage(cost="null"), MISSING),
    "usage null": (b"null", MISSING),
}

UNSOUND_COUNTS = {
    "true": "true", "false": "false", "float": "12.5", "round float": "12.0", "exponent": "1e3", "out of range": "1e999", "NaN": "NaN",
    "Infinity": "Infinity", "text": '"12"', "negative": "-1", "one too many": str(MOST + 1), "beyond 64 bits": "9" * 30, "list": "[]",
    "object": "{}",
}  # fmt: skip
UNSOUND_COSTS = {
    "true": "true", "false": "false", "text": '"0.01"', "empty text": '""', "negative": "-1", "a little negative": "-0.000000001",
    "NaN": "NaN", "Infinity": "Infinity", "-Infinity": "-Infinity", "out of range": "1e999", "absurd": "2000000.5", "list": "[0.1]",
    "object": '{"usd":1}', "endless": "1e-400",
}  # fmt: skip
UNSOUND = {
    **{f"prompt {name}": usage(prompt_tokens=value) for name, value in UNSOUND_COUNTS.items()},
    **{f"completion {name}": usage(completion_tokens=value) for name, value in UNSOUND_COUNTS.items()},
    **{f"cost {name}": usage(cost=value) for name, value in UNSOUND_COSTS.items()},
    "prompt null": usage(prompt_tokens="null"),
    "prompt missing": usage(prompt_tokens=None),
    "completion null": usage(completion_tokens="null"),
    "completion missing": usage(completion_tokens=None),
    "cached negative": details('{"cached_tokens":-1}'),
    "cached true": details('{"cached_tokens":true}'),
    "cached too many": details(f'{{"cached_tokens":{MOST + 1}}}'),
    "details text": details('"none"'),
    "reasoning float": usage(completion_tokens_details='{"reasoning_tokens":1.5}'),
    "usage empty": b"{}",
    "usage list": b"[11,7]",
    "usage text": b'"11"',
    "usage number": b"18",
    "usage true": b"true",
}


def both_ways(name: str, claimed: bytes, row: Row) -> list[Case]:
    return [
        Case(name, whole_wire(claimed), "200 answer", row, text=TEXT),
        Case(name, stream_wire(claimed), "200 done", row, is_stream=True, text=TEXT),
    ]


def test_sound_claims_are_charged_to_the_last_digit(rough: Shop) -> None:
    """R7, R8: zero is a value, absence is absence; what is missing is asked for."""
    check(rough, [case for name, (claimed, row) in BELIEVED.items() for case in both_ways(name, claimed, row)])


def test_unsound_claims_count_as_missing_and_flag_the_request(rough: Shop) -> None:
    """R8: the upstream's record decides then (R9)."""
    check(rough, [case for name, claimed in UNSOUND.items() for case in both_ways(name, claimed, INVALID)])


def test_several_answers_may_use_that_many_times_more(rough: Shop) -> None:
    """R8: twice the context times n."""
    cases = []
    for name, tokens, row in (("n=2 within", 2 * MOST, PAID), ("n=2 beyond", 2 * MOST + 1, INVALID)):
        claimed = usage(completion_tokens=str(tokens))
        cases.append(Case(name, whole_wire(claimed), "200 answer", row, asks={"n": 2}))
        cases.append(Case(name, stream_wire(claimed), "200 done", row, is_stream=True, asks={"n": 2}))

    check(rough, cases)


def embedded(name: str, claimed: bytes, row: Row) -> Case:
    body = b'{"object":"list","model":"x","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"usage":%b}' % claimed
    asked = {"model": "openai/text-embedding-3-small", "input": f"{name} whole", "messages": None}
    return Case(name, sized(body), "200 answer", row, path="/v1/embeddings", asks=asked)


def test_embeddings_have_no_completion_and_are_doubted_all_the_same(rough: Shop) -> None:
    """R8: an absent completion count is 0 there, and only there."""
    cases = [
        embedded("vector", usage(completion_tokens=None), PAID),
        embedded("vector completion null", usage(completion_tokens="null"), PAID),
        embedded("vector as long as can be", usage(prompt_tokens=str(2 * 8_192), completion_tokens=None), PAID),
        embedded("vector too long", usage(prompt_tokens=str(2 * 8_192 + 1), completion_tokens=None), INVALID),
        embedded("vector without tokens", usage(prompt_tokens=None, completion_tokens=None), INVALID),
        embedded("vector of minus one", usage(prompt_tokens="-1", completion_tokens=None), INVALID),
        embedded("vector without cost", usage(cost=None, completion_tokens=None), MISSING),
    ]

    check(rough, cases)


def test_a_cost_of_absurd_exponent_is_no_cost(rough: Shop) -> None:
    """R8: finite or missing, however the number is written; Python's decimals refuse such an exponent with an error of their own."""
    numbers = ("1e9999999999999999999", "-1e9999999999999999999", "1e-9999999999999999999")
    cases = [case for number in numbers for case in both_ways(f"cost {number}", usage(cost=number), INVALID)]

    check(rough, cases)


def test_usage_that_cannot_be_shown_does_not_take_the_paid_answer_away(rough: Shop) -> None:
    """R9: what is charged is delivered; only the answer, not its usage, is built before the charge."""
    deep = "[" * 300 + "]" * 300
    cases = both_ways("deep details", details(f'{{"cached_tokens":0,"x":{deep}}}'), PAID)
    claimed = details(f'{{"cached_tokens":0,"y":{deep}}}')
    asked = {"stream_options": {"include_usage": True}}
    cases.append(Case("deep details asked for", stream_wire(claimed), "200 done", PAID, is_stream=True, text=TEXT, asks=asked))
    odd = chat(usage(total_tokens="9" * 30), more=',"service_tier":NaN')
    cases.append(Case("a total beyond 64 bits", sized(odd), "200 answer", PAID, text=TEXT))

    check(rough, cases)
