"""The one database: declarative base, common columns, transactions, and on whose behalf they run.

Row-level security is the second wall behind scoped queries (promise R23): every table with
an `account_id` shows rows only to a transaction that has said for whom it acts. A door says it
with `acting_for(account_id)` or, openly, `acting_as_operator()`; a transaction that said
nothing finds nothing. The setting is local to the transaction, so a pooled connection
never carries it over.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any
from uuid import UUID

from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as AppSession
from sqlalchemy import ColumnElement, Connection, Engine, MetaData, delete, event, select, text, tuple_
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, SessionTransaction, mapped_column

from reseller.clock import UtcDateTime, new_id, now
from reseller.errors import Conflict

OPERATOR = "operator"
NOBODY = ""

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Models inherit this and not `db.Model`, which mypy cannot see."""

    metadata = MetaData(naming_convention=NAMING)


# Not as a class attribute: Flask-SQLAlchemy subclasses Base, and SQLAlchemy 2.1 refuses to inherit the map.
Base.registry.update_type_annotation_map({datetime: UtcDateTime})


class Identified:
    """A UUIDv7 primary key."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id, sort_order=-10)


class Created:
    """When the row was made, by our clock."""

    created_at: Mapped[datetime] = mapped_column(default=now, sort_order=90)


class Versioned:
    """A row that people edit: its version moves with every change, so that the second of two editors learns of the first."""

    version: Mapped[int] = mapped_column(default=1, server_default="1", sort_order=95)

    def claim(self, seen: int | None) -> None:
        """The row moves to its next version. Raises Conflict if it has changed since the caller looked (`seen`; None: not looked)."""
        if seen is not None and seen != self.version:
            raise Conflict("Somebody else changed this in the meantime. Nothing was saved; look at it again and repeat your change.")
        self.version += 1


_reader: ContextVar[Engine | None] = ContextVar("reader", default=None)


class RoutedSession(AppSession):
    """The app's session; inside `reading_from` its statements go to that engine."""

    def get_bind(self, mapper: Any = None, clause: Any = None, bind: Any = None, **named: Any) -> Engine | Connection:
        return _reader.get() or super().get_bind(mapper, clause, bind, **named)


db = SQLAlchemy(model_class=Base, session_options={"class_": RoutedSession})

_acting: ContextVar[str] = ContextVar("acting", default=NOBODY)
_may_write: ContextVar[bool] = ContextVar("may_write", default=True)


@contextmanager
def acting_for(account_id: UUID, *, may_write: bool = True) -> Iterator[None]:
    """Transactions inside see the rows of this account and no others; with `may_write=False` PostgreSQL refuses every change."""
    token, allowed = _acting.set(str(account_id)), _may_write.set(may_write and _may_write.get())
    try:
        yield
    finally:
        _may_write.reset(allowed)
        _acting.reset(token)


@contextmanager
def acting_as_operator() -> Iterator[None]:
    """Transactions inside see every account: the command line, the clock and the back office."""
    token = _acting.set(OPERATOR)
    try:
        yield
    finally:
        _acting.reset(token)


@contextmanager
def reading_from(engine: Engine) -> Iterator[None]:
    """Statements inside go to this engine, for whomever they act. For reports alone: what they find may be old."""
    token = _reader.set(engine)
    try:
        yield
    finally:
        _reader.reset(token)


@event.listens_for(Session, "after_begin")
def _say_for_whom(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
    acting = _acting.get()
    if acting:
        connection.execute(text("SELECT set_config('reseller.acting_for', :acting, true)"), {"acting": acting})
    if not _may_write.get():
        connection.execute(text("SET TRANSACTION READ ONLY"))


def lock_name(name: str) -> None:
    """Until the caller's transaction ends, nobody else holds a lock of this name: for what has no row yet that could be locked."""
    db.session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})


def sort_in_memory(session: Session, megabytes: int = 64) -> None:
    """Until the caller's transaction ends its questions may take so much for each sort: what reads very many rows does it on disk else."""
    session.execute(text("SELECT set_config('work_mem', :size, true)"), {"size": f"{megabytes}MB"})


FORGOTTEN_AT_A_TIME = 5_000


def forget_rows(table: type[Base], *conditions: ColumnElement[bool], at_a_time: int = FORGOTTEN_AT_A_TIME) -> int:
    """No row for which all of this holds is left; how many were. Some thousand go in each transaction: no lock is held for long."""
    key = list(table.__table__.primary_key.columns)  # type: ignore[attr-defined]
    gone = 0
    while True:
        with transaction() as session:
            some = select(*key).where(*conditions).limit(at_a_time)
            last = int(session.execute(delete(table).where(tuple_(*key).in_(some))).rowcount)  # type: ignore[attr-defined]
        gone += last
        if last < at_a_time:
            return gone


@contextmanager
def transaction() -> Iterator[Session]:
    """One unit of work: committed when the block ends, rolled back when it raises.

    Nesting joins the outer one, so a door can put several verbs into one commit.
    """
    session = db.session()
    if session.info.get("in_transaction"):
        yield session
        return
    session.info["in_transaction"] = True
    try:
        session.rollback()  # ends a read-only transaction that may run for somebody else
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.info.pop("in_transaction", None)
