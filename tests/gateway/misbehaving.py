"""Many calls at once to an upstream that misbehaves, and what came of each: for the customer, in the books, at the upstream.

A table of `Case`s says what is sent and what must come of it; `check` runs it and names every difference.
Besides its own row each case must leave no hold, the account's and its key's money as the rows say, one request
at the upstream, and nothing of the supplier in the answer.
"""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from decimal import Decimal
from http.client import HTTPException
from typing import Any
from uuid import UUID

import orjson

from reseller.money import format_nano
from tests import factories
from tests.fakes.bytes_of_http import BILL, COST, MODEL
from tests.fakes.openrouter_scenarios import words_of
from tests.gateway.test_nothing_leaks import leaks_of
from tests.shop import Answer, Customer, Shop, charge_for, loads
from tests.waiting import wait_until

STARTED_WITH = 1_000 * 10**9
AT_ONCE = 32
GIVEN_UP = 9  # questions after which the clock asks no more
COUNTED = 5  # completion tokens that the record of a scripted call tells

STOP_ASKING = """UPDATE holds SET chase_attempts = %s, chase_at = now()
                  WHERE api_key_id = %s AND chase_attempts BETWEEN %s AND %s RETURNING id"""

Row = tuple[str, str, str | None, int]
"""Of the usage row: status, source of the cost, flag, charge in nano-dollars."""

PAID: Row = ("completed", "inline", None, charge_for(COST))
NOTHING: Row = ("failed", "none", None, 0)


def inline(cost: str = COST, flag: str | None = None, status: str = "completed") -> Row:
    return (status, "inline", flag, charge_for(cost))


def recorded(flag: str | None = None, status: str = "completed", bill: str = BILL) -> Row:
    return (status, "generation", flag, charge_for(bill))


def listed(prompt: int, completion: int, flag: str | None = None, status: str = "completed") -> Row:
    """These tokens at the list price of the model."""
    return (status, "price_snapshot", flag, charge_for(list_price(prompt, completion)))


def list_price(prompt: int, completion: int) -> Decimal:
    return prompt * Decimal("0.000001") + completion * Decimal("0.000002")


@dataclass(frozen=True, slots=True)
class Case:
    """What the upstream does with one call, and what must come of it.

    `told`: the status, and for a stream how it ends ("done", or the code of its error event), else the code of the
    refusal, or "answer". A `row` of None is an estimate of the prompt and `text`, marked. `is_trouble`: the breaker
    counts it. `records`: what the upstream's records answer first; `gives_up` after that many questions.
    """

    name: str
    wire: bytes | tuple[bytes | int | str, ...]
    told: str
    row: Row | None
    is_stream: bool = False
    text: str | None = None
    is_trouble: bool = False
    records: tuple[dict[str, Any], ...] = ()
    gives_up: int | None = None
    path: str = "/v1/chat/completions"
    asks: dict[str, Any] = field(default_factory=dict)
    bill: str = BILL
    flag: str = "estimate"  # of an estimate
    headers: dict[str, str] = field(default_factory=dict)  # that the answer must have

    @property
    def words(self) -> str:
        return f"{self.name} {'streamed' if self.is_stream else 'whole'}"

    @property
    def plan(self) -> dict[str, Any]:
        steps = (self.wire,) if isinstance(self.wire, bytes) else self.wire
        return {"wire": steps, "bill": self.bill, "counted": COUNTED, "records": self.records}

    @property
    def body(self) -> dict[str, Any]:
        asked: dict[str, Any] = {"messages": [{"role": "user", "content": self.words}]}
        return {"model": MODEL, **asked, **({"stream": True} if self.is_stream else {}), **self.asks}

    @property
    def expected_row(self) -> Row:
        if self.row is not None:
            return self.row
        prompt, completion = -(-(len(self.words) + 8) // 3), -(-len((self.text or "").encode()) // 3)
        status = "completed" if self.told in ("200 answer", "200 done") else "partial"
        return (status, "estimate", self.flag, charge_for(list_price(prompt, completion)))


@dataclass(frozen=True, slots=True)
class Ended:
    """One case, once it is over. No answer: the connection broke."""

    case: Case
    answer: Answer | None
    row: dict[str, Any]
    requests: int  # at the upstream


def check(shop: Shop, cases: Sequence[Case]) -> dict[str, dict[str, Any]]:
    """Each case ended as it must; the failure names those that did not, and how they differ. The usage rows by the cases' words."""
    calls = ended(shop, cases)
    problems = {call.case.words: found for call in calls if (found := _differences(call))}
    assert not problems, "\n" + "\n".join(f"{words}: {'; '.join(found)}" for words, found in problems.items())
    return {call.case.words: call.row for call in calls}


def ended(shop: Shop, cases: Sequence[Case]) -> list[Ended]:
    """All cases have run, side by side, on one account, each with a key of its own, and the books say what the rows say."""
    assert len({case.words for case in cases}) == len(cases)
    shop.fake.plans.update({case.words: case.plan for case in cases})
    customer = shop.customer(usd=str(STARTED_WITH // 10**9), limits=False)
    with shop.at_work():
        minted = factories.mint_keys(customer.person, len(cases))
        key_ids = [row.id for _, row in minted]

    def call(case: Case, key: str) -> Answer | None:
        for _ in range(2 * case.is_trouble):  # so that the breaker sees a healthy upstream (R32)
            healthy = customer.chat(MODEL)
            assert healthy.status == 200, healthy.body
        try:
            return replace(customer, key=key).call(case.path, case.body)
        except (HTTPException, OSError):
            return None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(call, cases, [key for key, _ in minted]))
    rows = _ended(customer, dict(zip(key_ids, cases, strict=True)))
    assert _wrong_books(customer) == []
    asked = _requests(shop)
    return [Ended(case, answer, rows[key_id], asked[case.words]) for case, answer, key_id in zip(cases, answers, key_ids, strict=True)]


def told(answer: Answer | None, *, is_stream: bool) -> str:
    """What the customer hears, in one line."""
    if answer is None:
        return "the connection broke"
    if answer.headers.get("content-type", "").startswith("text/html"):
        return f"{answer.status} in HTML"
    if answer.status != 200:
        return f"{answer.status} {answer.error['code']}"
    if "event-stream" not in answer.headers["content-type"] or not is_stream:
        return "200 answer"
    last = answer.body.strip().rpartition(b"data: ")[2]  # what stands before may be as broken as the upstream sent it
    if last == b"[DONE]":
        return "200 done"
    return f"200 {loads(last)['error']['code']}" if last.startswith(b'{"error":') else "200 cut"


def text_of(answer: Answer) -> str:
    """The text that reached the customer."""
    if "event-stream" not in answer.headers["content-type"]:
        return "".join(choice["message"]["content"] if "message" in choice else choice["text"] for choice in answer.json["choices"])
    choices = [choice for frame in answer.frames if isinstance(frame, dict) for choice in frame.get("choices", [])]
    return "".join(choice.get("text") or choice.get("delta", {}).get("content") or "" for choice in choices if isinstance(choice, dict))


def _ended(customer: Customer, cases: dict[UUID, Case]) -> dict[UUID, dict[str, Any]]:
    """The one row of each key, once the account has no open call."""
    stubborn = {key_id: case.gives_up for key_id, case in cases.items() if case.gives_up}
    ask = customer.shop.query

    def are_over() -> bool:
        for key_id, questions in stubborn.items():
            ask(STOP_ASKING, GIVEN_UP, key_id, questions, GIVEN_UP - 1)
        return not customer.holds

    try:
        wait_until(are_over)
    except AssertionError:
        names = [cases[hold["api_key_id"]].words for hold in customer.holds]
        raise AssertionError(f"calls that do not end: {names}") from None
    rows = [row for row in customer.rows if row["api_key_id"] in cases]
    assert len(rows) == len({row["api_key_id"] for row in rows}) == len(cases)
    return {row["api_key_id"]: row for row in rows}


def _requests(shop: Shop) -> Counter[str]:
    with shop.fake.lock:
        seen = [request["body"] for request in shop.fake.requests if request["method"] == "POST"]
    return Counter(words_of(orjson.loads(body)) for body in seen)


def _differences(call: Ended) -> list[str]:
    case, answer, row = call.case, call.answer, call.row
    heard = told(answer, is_stream=case.is_stream)
    is_row = (row["status"], row["cost_source"], row["flag"], row["charge_nano"])
    found = [f"told {heard!r} and not {case.told!r}"] if heard != case.told else []
    found += [f"row {is_row} and not {case.expected_row}"] if is_row != case.expected_row else []
    found += [f"{call.requests} requests upstream"] if call.requests != 1 else []
    if row["hold_nano"] <= 0 or row["overage_loss_nano"] or (row["cost_source"] == "estimate" and row["charge_nano"] > row["hold_nano"]):
        found.append(f"hold {row['hold_nano']}, loss {row['overage_loss_nano']}")
    return found if answer is None else found + _wrong_answer(case, answer, row, heard.partition(" ")[2])


def _wrong_answer(case: Case, answer: Answer, row: dict[str, Any], code: str) -> list[str]:
    """What the customer should not have seen, or should have and did not."""
    found = [f"leak: {leak}" for leak in leaks_of(answer)]
    found += [f"leak: {word}" for word in ("leak-me", "777777") if word in f"{answer.headers} {answer.body!r}"]
    if answer.status != 200 and row["error_code"] != code:
        found.append(f"the row says {row['error_code']} where the customer heard {code}")
    if case.text is not None and answer.status == 200 and text_of(answer) != case.text:
        found.append(f"text {text_of(answer)[:200]!r}")
    if answer.headers.get("x-request-cost", format_nano(row["charge_nano"])) != format_nano(row["charge_nano"]):
        found.append(f"x-request-cost {answer.headers['x-request-cost']}")
    wrong = {name: answer.headers.get(name) for name, value in case.headers.items() if answer.headers.get(name) != value}
    return found + ([f"headers {wrong}"] if wrong else [])


def _wrong_books(customer: Customer) -> list[str]:
    """Nothing is held, and the account's and each key's money say what the rows say."""
    charges: Counter[UUID] = Counter()
    for row in customer.rows:
        charges[row["api_key_id"]] += row["charge_nano"]
    books = customer.books
    found = [] if (books.held_nano, books.open_calls) == (0, 0) else ["a hold is left"]
    found += [] if books.settled_nano == STARTED_WITH - charges.total() else [f"balance {books.settled_nano}"]
    keys = customer.shop.query("SELECT id, held_nano, total_nano FROM api_keys WHERE account_id = %s", customer.person.account_id)
    return found + [f"key {key}" for key in keys if (key["held_nano"], key["total_nano"]) != (0, charges[key["id"]])]
