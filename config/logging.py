"""One JSON object per line on stderr; keys and tokens are masked (R37).

Ours and the libraries' records end in the same shape. Nothing is bound to a context: keep-alive requests of one
connection share a greenlet, and would share it.
"""

import logging
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger

_SECRETS = re.compile(
    r"(sk_(?:live|test)_[0-9A-Za-z]{4})[0-9A-Za-z]+"
    r"|(sk-or-v1-)[0-9A-Za-z-]+"
    r"|((?:rk|sk)_(?:live_|test_)?)[0-9A-Za-z]{12,}"
    r"|(whsec_)[0-9A-Za-z+/=]{12,}"  # Stripe's and ours; ours is base64
    r"|(Bearer )[^\s\"'\\]+"
    r"|(://[^:/@\s\"\\]{1,64}:)[^@\s\"\\]{1,256}(?=@)"  # bounded: a stranger's header may be logged
)
_MAY_HOLD_SECRETS = re.compile(rb"[rs]k_|sk-or|whsec|Bearer|://")
"""Quicker than the above, and never wrong where that would find something."""

_HIDDEN_FIELDS = frozenset({"authorization", "api_key", "password", "secret", "token", "cookie", "prompt", "messages", "body", "content"})


def mask(text: str) -> str:
    """The text with keys, tokens and URL passwords cut to what identifies them."""
    return _SECRETS.sub(lambda m: next(g for g in m.groups() if g) + "…", text)


def _complete(logger: WrappedLogger, method: str, event_dict: EventDict) -> EventDict:
    """With level and time, without what must not be told. One step: every step of a log line costs each call a microsecond."""
    for key in _HIDDEN_FIELDS & event_dict.keys():
        event_dict[key] = "…"
    event_dict["level"] = method
    event_dict["timestamp"] = datetime.now(UTC).isoformat()
    return event_dict


_alarm_watchers: list[Callable[[str], None]] = []


def tell_of_alarms(watcher: Callable[[str], None]) -> None:
    """`watcher` hears the event of every line of ours at level error or critical, from now on and instead of whoever heard it before."""
    _alarm_watchers[:] = [watcher]


Errors = Callable[[str, Mapping[str, Any], BaseException], None]
"""(the event of a line of ours, or the name of a library's logger; the line's fields; the exception)"""

_error_watchers: list[Errors] = []


def tell_of_errors(watcher: Errors | None) -> None:
    """`watcher` hears of every line at level error or critical that has a traceback, from now on and instead of whoever did before."""
    _error_watchers[:] = [] if watcher is None else [watcher]


def _tell_of_error(source: str, event_dict: EventDict) -> None:
    said = event_dict.get("exc_info")
    if not _error_watchers or not said:
        return
    error = said if isinstance(said, BaseException) else said[1] if isinstance(said, tuple) else sys.exc_info()[1]
    if error is not None:
        for watcher in _error_watchers:
            watcher(source, event_dict, error)


def _complete_theirs(logger: WrappedLogger, method: str, event_dict: EventDict) -> EventDict:
    if method in ("error", "critical"):
        _tell_of_error(event_dict["_record"].name, event_dict)
    return _complete(logger, method, event_dict)


def _complete_ours(logger: WrappedLogger, method: str, event_dict: EventDict) -> EventDict:
    """Events of ours are names in the code. What libraries say at these levels is free text, and alarms nobody."""
    if method in ("error", "critical"):
        for watcher in _alarm_watchers:
            watcher(str(event_dict["event"]))
        _tell_of_error(str(event_dict["event"]), event_dict)
    return _complete(logger, method, event_dict)


def _line(event_dict: dict[str, Any], **_: Any) -> bytes:
    """The line, masked as a whole: whatever its fields hold, and at once."""
    line = orjson.dumps(event_dict, default=str)
    return mask(line.decode()).encode() if _MAY_HOLD_SECRETS.search(line) else line


def _text_line(event_dict: dict[str, Any], **more: Any) -> str:
    return _line(event_dict, **more).decode()


def configure_logging(level: str = "INFO") -> None:
    """Every logger of this process writes JSON lines to stderr from now on."""
    structlog.configure(
        processors=[_complete_ours, structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_line)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[_complete_theirs, structlog.processors.format_exc_info],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer(serializer=_text_line)],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("urllib3", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
