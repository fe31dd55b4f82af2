"""What all apps of a process compile alike, compiled once: most of what an app costs, and tests make thousands of them.

Rules of URLs by Werkzeug, statements by SQLAlchemy, templates by Jinja: each app begins as it would, with nothing of another's
but what follows from the same text.
"""

import copy
import tempfile
from collections.abc import Callable
from typing import Any
from unittest import mock

from flask import Flask
from jinja2 import FileSystemBytecodeCache
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from config import Settings
from reseller.database import db

_compile = Rule.compile
_rules: dict[tuple[Any, ...], dict[str, Any]] = {}
_OF_ITS_TEXT = ("_parts", "_trace", "_converters", "arguments")
"""What Werkzeug finds out about a rule, besides the functions that write its URLs."""

_statements: LRUCache[Any, Any] = LRUCache(5_000)

_folder = tempfile.TemporaryDirectory(prefix="reseller-templates-")
_templates = FileSystemBytecodeCache(_folder.name)


class SharedDialect(PGDialect_psycopg):
    """What one engine has compiled is good for all of them: they speak to one server."""

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SharedDialect)

    def __hash__(self) -> int:
        return hash(SharedDialect)


registry.register("postgresql.psycopg", __name__, SharedDialect.__name__)


def compiled_once(create_app: Callable[[Settings], Flask], settings: Settings) -> Flask:
    """A new app, which compiles what no app before it has."""
    with mock.patch.object(Rule, "compile", _compile_rule):
        app = create_app(settings)
    with app.app_context():
        db.engine._compiled_cache = _statements
    app.jinja_env.bytecode_cache = _templates
    return app


def _compile_rule(rule: Rule) -> None:
    if rule.defaults:
        return _compile(rule)
    key = (rule.rule, rule.subdomain, rule.host, rule.merge_slashes, rule.map.host_matching)
    if key not in _rules:
        _compile(rule)
        functions = {name: getattr(rule, name).__func__ for name in ("_build", "_build_unknown")}
        _rules[key] = {name: copy.copy(getattr(rule, name)) for name in _OF_ITS_TEXT} | functions
    known = _rules[key]
    for name in _OF_ITS_TEXT:
        setattr(rule, name, copy.copy(known[name]))
    rule._build = known["_build"].__get__(rule)
    rule._build_unknown = known["_build_unknown"].__get__(rule)
    return None
