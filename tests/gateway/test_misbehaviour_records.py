"""The upstream's own record of a call: late, broken, absurd or absent. It is believed or it is not, and every call ends (R8, R9)."""

from dataclasses import replace
from typing import Any

import orjson

from tests.fakes.bytes_of_http import (
    COST,
    DONE,
    ERROR,
    FINISH,
    HELLO,
    TEXT,
    WORLD,
    chat,
    chunked,
    event,
    finished,
    said,
    sized,
    stream_wire,
    whole_wire,
)  # fmt: skip
from tests.gateway.misbehaving import Case, Row, check, list_price, listed, recorded
from tests.shop import Shop, charge_for

ANSWER, ENDED = "200 answer", "200 done"
NO_COST = b'{"prompt_tokens":11,"completion_tokens":7}'
ENOUGH = 6  # questions that are answered alike before the clock gives up
SOUND = {"total_cost": 0.004, "model": "other/model", "native_tokens_prompt": 11, "native_tokens_completion": 7, "is_byok": False}


def told(raw: str | None = None, **fields: Any) -> dict[str, Any]:
    """A record with these fields; `raw` is a cost as it stands."""
    text = orjson.dumps({"data": SOUND | fields}).decode()
    return {"body": text if raw is None else text.replace('"total_cost":0.004', f'"total_cost":{raw}')}


LATE: dict[str, tuple[dict[str, Any], ...]] = {
    "not yet": ({"status": 404},),
    "refused": ({"status": 401},),
    "too often": ({"status": 429},),
    "broken": ({"status": 500},),
    "elsewhere": ({"status": 302, "headers": {"Location": "http://127.0.0.1:9/"}},),
    "a page": ({"body": "<html>", "content_type": "text/html"},),
    "cut": ({"body": '{"data":{"total_cost":0.0'},),
    "empty": ({"body": ""},),
    "an array": ({"body": "[]"},),
    "no data": ({"body": '{"data":null}'},),
    "too deep": ({"body": "[" * 100_000},),
    "reset": ({"wire": ("reset",)},),
    "silent": ({"wire": ("hang",)},),
    "no HTTP": ({"wire": (b"hello\r\n\r\n", "close")},),
}
"""What the first questions are answered; the next one finds the true record."""

BELIEVED: dict[str, tuple[dict[str, Any], Row]] = {
    "another model's": (told(), recorded(bill="0.004")),
    "zero": (told(total_cost=0), recorded(bill="0")),
    "thirty places": (told("0.001234567890123456789012345678"), recorded(bill="0.001234567890123456789012345678")),
    "less than a nano-dollar": (told("1e-30"), recorded(bill="1e-30")),
    "a decimal as text": (told(total_cost="0.0042"), recorded(bill="0.0042")),
    "a bill of our own key": (told(is_byok=True), listed(11, 7)),
    "unknown fields": (told(latency=[1], upstream_id={"a": 1}), recorded(bill="0.004")),
}

UNSOUND: dict[str, dict[str, Any]] = {
    "cost negative": told(total_cost=-1), "cost NaN": told("NaN"), "cost Infinity": told("Infinity"), "cost 1e999": told("1e999"),
    "cost true": told(total_cost=True), "cost null": told(total_cost=None), "cost in words": told(total_cost="free"),
    "cost list": told(total_cost=[1]), "cost absurd": told(total_cost=2_000_000), "prompt negative": told(native_tokens_prompt=-1),
    "prompt true": told(native_tokens_prompt=True), "completion float": told(native_tokens_completion=7.5),
    "cost of absurd exponent": told("1e9999999999999999999"), "a billion tokens": told(native_tokens_completion=10**9),
    "a billion tokens on a key of our own": told(native_tokens_completion=10**9, is_byok=True),
    "completion text": told(native_tokens_completion="7"), "completion beyond 64 bits": told(native_tokens_completion=2**63),
}  # fmt: skip


def without_usage(name: str, row: Row | None, **more: Any) -> list[Case]:
    """A complete answer that told no usage, whole and streamed."""
    return [
        Case(name, whole_wire(None), ANSWER, row, text=TEXT, **more),
        Case(name, stream_wire(None), ENDED, row, is_stream=True, text=TEXT, **more),
    ]


def broken_off(name: str, row: Row | None, **more: Any) -> Case:
    return Case(name, chunked(HELLO, WORLD, ERROR), "200 upstream_unavailable", row, is_stream=True, text=TEXT, **more)


def test_a_record_that_comes_late_is_the_charge_all_the_same(rough: Shop) -> None:
    """R9: it is asked for again, whatever the first answers were."""
    cases = []
    for name, records in LATE.items():
        cases += without_usage(f"late: {name}", recorded(), records=records)[: 1 if name == "silent" else 2]
    cases.append(broken_off("late and broken off", recorded(None, "partial"), records=({"status": 404},)))

    check(rough, cases)


def test_a_sound_record_is_charged_to_the_last_digit(rough: Shop) -> None:
    """R7, R9; a record of a key of our own tells a fee, so its tokens are priced."""
    check(rough, [case for name, (record, row) in BELIEVED.items() for case in without_usage(f"record: {name}", row, records=(record,))])


def test_an_unsound_record_is_none(rough: Shop) -> None:
    """R8, R9: then the estimate of prompt and delivered output, at most the hold, marked. R11: and nobody behind it waits."""
    cases = without_usage("behind the unsound ones", recorded())
    for name, record in UNSOUND.items():
        cases += without_usage(f"no record: {name}", None, records=(record,) * ENOUGH, gives_up=1)

    check(rough, cases)


def test_without_any_record_the_estimate_is_charged_to_the_digit(rough: Shop) -> None:
    """R9: prompt and delivered output, three bytes a token; where tokens are known, those at the list price."""
    never = {"records": ({"status": 404},) * ENOUGH, "gives_up": 1}
    cases = [*without_usage("nobody tells", None, **never), broken_off("nobody tells of the break", None, **never)]
    cases += [
        Case("tokens but no cost", whole_wire(NO_COST), ANSWER, listed(11, 7), text=TEXT, **never),
        Case("tokens but no cost", stream_wire(NO_COST), ENDED, listed(11, 7), is_stream=True, text=TEXT, **never),
    ]

    check(rough, cases)


def test_a_call_without_a_generation_id_ends_at_once(rough: Shop) -> None:
    """R9: nobody can be asked; the id of the body serves where the header has none."""
    words = [event(said(word), has_id=False) for word in ("Hello ", "world")]
    finish = event(finished(), has_id=False)
    cases = [
        Case("no id", whole_wire(None, has_id=False), ANSWER, None, text=TEXT),
        Case("no id", chunked(*words, finish, DONE, has_id=False), ENDED, None, is_stream=True, text=TEXT),
        Case("no id, broken off", chunked(*words, event([], more=',"error":"x"', has_id=False), has_id=False), "200 upstream_unavailable",
             None, is_stream=True, text=TEXT),
        Case("no id, tokens", whole_wire(NO_COST, has_id=False), ANSWER, listed(11, 7), text=TEXT),
        Case("no id, unsound", whole_wire(b'{"prompt_tokens":-1}', has_id=False), ANSWER, None, text=TEXT, flag="usage_invalid"),
        Case("id in the body", sized(chat(None), has_id=False), ANSWER, recorded(), text=TEXT),
        Case("id in the frames", chunked(HELLO, WORLD, FINISH, DONE, has_id=False), ENDED, recorded(), is_stream=True, text=TEXT),
        Case("an odd id in the header", sized(chat(None), 200, "X-Generation-Id: gen <1>", has_id=False), ANSWER, recorded(), text=TEXT),
        Case("two ids in the header", sized(chat(None), 200, "X-Generation-Id: gen-2"), ANSWER, recorded(), text=TEXT),
    ]  # fmt: skip

    check(rough, cases)


def test_an_estimate_is_never_more_than_the_hold(rough: Shop) -> None:
    """R9: however much was delivered without a word about its usage."""
    cases = []
    for is_stream in (False, True):
        text = "word " * 4_000
        wire = chunked(event(said(text), has_id=False), event(finished(), has_id=False), DONE, has_id=False) if is_stream else None
        case = Case("much for little", wire or sized(chat(None, content=text, has_id=False), has_id=False), ENDED if is_stream else ANSWER,
                    None, is_stream=is_stream, text=text, asks={"max_tokens": 1})  # fmt: skip
        hold = charge_for(list_price(len(case.words) + 8, 1))
        cases.append(replace(case, row=("completed", "estimate", "estimate", hold)))

    check(rough, cases)


def test_records_that_do_not_come_hold_up_nobody(rough: Shop) -> None:
    """R10, R11: one question waits for as long as a first byte may take, here 1 s; a dozen of them must not wait one after the other."""
    silent = [case for n in range(6) for case in without_usage(f"silent record {n}", recorded(), records=({"wire": ("hang",)},))]

    rows = check(rough, [*silent, *without_usage("behind silence", recorded())])

    assert max(row["settled_at"] - row["created_at"] for row in rows.values()).total_seconds() < 8


def test_a_record_costs_what_the_call_said_only_where_it_said_nothing(rough: Shop) -> None:
    """R9: usage before record; nobody is asked about a call whose cost is known."""
    before = len([request for request in rough.fake.requests if request["path"] == "/generation"])

    check(rough, [Case("known", whole_wire(), ANSWER, ("completed", "inline", None, recorded(bill=COST)[3]), text=TEXT)])

    assert len([request for request in rough.fake.requests if request["path"] == "/generation"]) == before
