"""The verbs by which upstreams are known, added, switched on and off.

A row names the environment variable that holds its key, never the key. What staff add answers to a variable of a form that
no other secret of ours has, and that no other upstream names: else a row could send any of them to an address of its author's choice.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import func, select

from reseller.database import transaction
from reseller.domain import staff
from reseller.domain.pricing.changes import bump, lock_prices
from reseller.domain.pricing.tables import Model, ModelStatus, Upstream, UpstreamKind
from reseller.errors import Conflict, InvalidRequest, NotFound

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}", re.ASCII)
_KEY_VARIABLE = re.compile(r"UPSTREAM_[A-Z0-9]+(_[A-Z0-9]+)*_KEY", re.ASCII)
MAX_URL_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class UpstreamState:
    """One upstream and how many of its models are for sale."""

    name: str
    kind: str
    base_url: str
    key_variable: str
    is_active: bool
    priority: int
    version: int
    models_for_sale: int
    models: int


def register_upstream(
    name: str, kind: UpstreamKind, *, base_url: str = "", key_variable: str = "", priority: int = 0, actor: str = "system:start"
) -> bool:
    """The upstream exists with this address. True if anything changed; whether it is active is left as it is."""
    with transaction() as session:
        lock_prices()
        row = session.get(Upstream, name)
        wanted = {"kind": kind.value, "base_url": base_url, "key_variable": key_variable, "priority": priority}
        changes = {key: [getattr(row, key, None), value] for key, value in wanted.items() if getattr(row, key, None) != value}
        if not changes:
            return False
        if row is None:
            row = Upstream(name=name)
            session.add(row)
        for key, value in wanted.items():
            setattr(row, key, value)
        staff.record(actor, "upstream.register", "upstream", name, changes=changes)
        bump(f"upstream registered: {name}", actor)
        return True


def add_upstream(name: str, *, base_url: str, key_variable: str, priority: int = 0, actor: str, reason: str) -> None:
    """A further upstream that speaks the OpenAI API exists and is switched on.

    Raises Conflict for a name that is taken, InvalidRequest for a name, address or variable that cannot be or without a reason.
    """
    if not _NAME.fullmatch(name):
        raise InvalidRequest("A name has 1 to 40 small letters, digits and hyphens, a letter first.", param="name")
    base_url = _address(base_url)
    if key_variable and not _KEY_VARIABLE.fullmatch(key_variable):
        raise InvalidRequest("A variable for a key looks like UPSTREAM_ACME_KEY.", param="key_variable")
    if abs(priority) > 1_000_000:
        raise InvalidRequest("A priority lies between -1000000 and 1000000.", param="priority")
    if not reason.strip():
        raise InvalidRequest("Say why; the audit log keeps it.", param="reason")
    with transaction() as session:
        lock_prices()
        if session.get(Upstream, name) is not None:
            raise Conflict(f"There is an upstream named “{name}” already.", param="name")
        other = session.scalar(select(Upstream.name).where(Upstream.key_variable == key_variable, Upstream.key_variable != ""))
        if other is not None:
            raise InvalidRequest(f"This variable holds the key of “{other}”, which nobody else may be sent.", param="key_variable")
        session.add(Upstream(name=name, kind=UpstreamKind.OPENAI, base_url=base_url, key_variable=key_variable, priority=priority))
        changes: dict[str, list[object]] = {
            "base_url": [None, base_url],
            "key_variable": [None, key_variable],
            "priority": [None, priority],
        }
        staff.record(actor, "upstream.add", "upstream", name, reason=reason.strip(), changes=changes)
        bump(f"upstream added: {name}", actor)


def set_upstream_active(name: str, is_active: bool, *, actor: str, reason: str = "", seen_version: int | None = None) -> None:
    """All models of the upstream are for sale, or none is. Raises NotFound, Conflict if it was switched since `seen_version`."""
    with transaction() as session:
        lock_prices()
        row = session.get(Upstream, name, with_for_update=True, populate_existing=True)
        if row is None:
            raise NotFound(f"there is no upstream {name}")
        if row.is_active == is_active:
            return
        row.claim(seen_version)
        row.is_active = is_active
        staff.record(actor, "upstream.switch", "upstream", name, reason=reason, changes={"is_active": [not is_active, is_active]})
        bump(f"upstream {name} {'on' if is_active else 'off'}", actor)


def upstream_states() -> list[UpstreamState]:
    """Every upstream, the one that is asked first on top."""
    with transaction() as session:
        for_sale = func.count().filter(Model.status != ModelStatus.WITHDRAWN)
        counts = {
            name: (sold, every)
            for name, sold, every in session.execute(select(Model.upstream, for_sale, func.count()).group_by(Model.upstream))
        }
        rows = session.scalars(select(Upstream).order_by(Upstream.priority.desc(), Upstream.name))
        return [
            UpstreamState(
                row.name, row.kind, row.base_url, row.key_variable, row.is_active, row.priority, row.version, *counts.get(row.name, (0, 0))
            )
            for row in rows
        ]


def active_upstreams() -> list[str]:
    """Names of the upstreams whose models are for sale, the highest priority first."""
    with transaction() as session:
        names = select(Upstream.name).where(Upstream.is_active).order_by(Upstream.priority.desc(), Upstream.name)
        return list(session.scalars(names))


def _address(text: str) -> str:
    """A plain https address without its last slash."""
    base_url = text.strip().rstrip("/")
    is_text = len(base_url) <= MAX_URL_CHARACTERS and base_url.isascii() and base_url.isprintable() and not set(base_url) & set(" ?#@")
    if not is_text or not _has_host(base_url):
        raise InvalidRequest(
            "An address looks like https://api.example.com/v1: https, no name or password, no question mark.", param="base_url"
        )
    return base_url


def _has_host(base_url: str) -> bool:
    try:
        parts = urlsplit(base_url)
        return parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none
        return False
