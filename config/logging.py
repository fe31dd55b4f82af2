"""One JSON object per line on stderr, with the request's id; keys and tokens are masked (R37).

Ours and the libraries' records end in the same shape. Context is bound per request with
`structlog.contextvars`; it must be cleared first thing in each request, since keep-alive
requests of one connection share a greenlet.
"""

import logging
import re
import sys
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

_SECRETS = re.compile(
    r"(sk_(?:live|test)_[0-9A-Za-z]{4})[0-9A-Za-z]+"
    r"|(sk-or-v1-)[0-9A-Za-z-]+"
    r"|((?:rk|sk|whsec)_(?:live_|test_)?)[0-9A-Za-z]{12,}"
    r"|(Bearer )[^\s\"']+"
    r"|(://[^:/@\s]+:)[^@\s]+(?=@)"
)
_HIDDEN_FIELDS = frozenset({"authorization", "api_key", "password", "secret", "token", "cookie", "prompt", "messages", "body", "content"})


def mask(text: str) -> str:
    """The text with keys, tokens and URL passwords cut to what identifies them."""
    return _SECRETS.sub(lambda m: next(g for g in m.groups() if g) + "…", text)


def _mask_event(logger: WrappedLogger, method: str, event_dict: EventDict) -> EventDict:
    for key, value in event_dict.items():
        if key in _HIDDEN_FIELDS:
            event_dict[key] = "…"
        elif isinstance(value, str):
            event_dict[key] = mask(value)
    return event_dict


def _dump(event_dict: dict[str, Any], **_: Any) -> str:
    return orjson.dumps(event_dict, default=str).decode()


def configure_logging(level: str = "INFO", *, process: str = "web") -> None:
    """Every logger of this process writes JSON lines to stderr from now on."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _mask_event,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_dump)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer(serializer=_dump)],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("urllib3", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.contextvars.clear_contextvars()
