"""Answers of an upstream as raw bytes, for the `wire` of a plan: true to HTTP and SSE unless a test spoils them."""

import orjson

from tests.fakes.openrouter_replies import THIS_CALL

MODEL = "fake/default"
COST = "0.00123456789012"
BILL = "0.00234567890123"
"""What the answer says that it cost, and what the record says: never the same, so a charge tells which was believed."""

USAGE = b'{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18,"cost":%b}' % COST.encode()
JSON, SSE = "application/json", "text/event-stream"
DONE = b"data: [DONE]\n\n"
TEXT = "Hello world"


def head(status: int = 200, *lines: str, kind: str | None = JSON, has_id: bool = True) -> bytes:
    """The head of an answer, as a provider of ours sends it."""
    named = [f"HTTP/1.1 {status} Status", "Server: cloudflare"]
    named += [f"Content-Type: {kind}"] if kind else []
    named += ["X-Generation-Id: " + THIS_CALL.decode()] if has_id else []
    return "\r\n".join((*named, *lines, "", "")).encode()


def sized(body: bytes, status: int = 200, *lines: str, kind: str | None = JSON, has_id: bool = True) -> bytes:
    """A whole answer with its true length."""
    return head(status, *lines, f"Content-Length: {len(body)}", kind=kind, has_id=has_id) + body


def chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""


LAST_CHUNK = b"0\r\n\r\n"


def chunked(*pieces: bytes, kind: str | None = SSE, has_id: bool = True) -> bytes:
    """A whole answer in chunks, one for each piece."""
    return stream_head(kind=kind, has_id=has_id) + b"".join(map(chunk, pieces)) + LAST_CHUNK


def stream_head(*lines: str, kind: str | None = SSE, has_id: bool = True) -> bytes:
    return head(200, *lines, "Transfer-Encoding: chunked", kind=kind, has_id=has_id)


def chat(
    usage: bytes | None = USAGE, *, content: str = TEXT, finish: str = "stop", has_id: bool = True, more: str = "", in_choice: str = ""
) -> bytes:
    """A chat completion; `usage` is put in as it stands, `more` and `in_choice` are raw JSON members with a comma in front."""
    id_ = THIS_CALL.decode() if has_id else "cmpl-7"
    told = b"" if usage is None else b',"usage":' + usage
    message = orjson.dumps({"role": "assistant", "content": content}).decode()
    choice = f'{{"index":0,"message":{message},"finish_reason":"{finish}","native_finish_reason":"{finish}"{in_choice}}}'
    outer = f'"id":"{id_}","provider":"FakeInfra","model":"{MODEL}","object":"chat.completion","created":1'
    return f'{{{outer},"choices":[{choice}]{more}'.encode() + told + b"}"


def event(choices: object, *, usage: bytes | None = None, more: str = "", has_id: bool = True) -> bytes:
    """One chunk of a stream as a frame."""
    return b"data: " + event_json(choices, usage=usage, more=more, has_id=has_id) + b"\n\n"


def event_json(choices: object, *, usage: bytes | None = None, more: str = "", has_id: bool = True) -> bytes:
    id_ = THIS_CALL.decode() if has_id else "cmpl-7"
    outer = f'"id":"{id_}","provider":"FakeInfra","model":"{MODEL}","object":"chat.completion.chunk","created":1'
    told = b"" if usage is None else b',"usage":' + usage
    return f'{{{outer},"choices":'.encode() + orjson.dumps(choices) + more.encode() + told + b"}"


def said(content: str, index: int = 0) -> list[dict[str, object]]:
    """The choices of a chunk that carries some text."""
    delta = {"role": "assistant", "content": content}
    return [{"index": index, "delta": delta, "finish_reason": None, "native_finish_reason": None, "logprobs": None}]


def finished(reason: str = "stop", index: int = 0) -> list[dict[str, object]]:
    """The choices of a chunk that ends one of them."""
    delta = {"role": "assistant", "content": ""}
    return [{"index": index, "delta": delta, "finish_reason": reason, "native_finish_reason": reason, "logprobs": None}]


HELLO, WORLD, FINISH = event(said("Hello ")), event(said("world")), event(finished())
TOLD = event([], usage=USAGE)
"""TEXT in two pieces, its end, and its usage."""

PROVIDER_ERROR = '"error":{"code":502,"message":"Provider disconnected","metadata":{"provider_name":"FakeInfra"}}'
ERROR = event([{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}], more="," + PROVIDER_ERROR)


def whole_wire(usage: bytes | None = USAGE, *, has_id: bool = True, **more: str) -> bytes:
    """The usual whole answer with this usage."""
    return sized(chat(usage, has_id=has_id, **more), has_id=has_id)


def stream_wire(usage: bytes | None = USAGE) -> bytes:
    """The usual stream with this usage."""
    told = [] if usage is None else [event([], usage=usage)]
    return chunked(b": OPENROUTER PROCESSING\n\n", HELLO, WORLD, FINISH, *told, DONE)
