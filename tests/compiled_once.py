"""What all apps of a process compile alike, compiled once: most of what an app costs, and tests make thousands of them.

Rules of URLs by Werkzeug, statements by SQLAlchemy, templates by Jinja: each app begins as it would, with nothing of another's
but what follows from the same text.
"""

import tempfile
from typing import Any
from unittest import mock

from flask import Flask
from jinja2 import FileSystemBytecodeCache
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.util import LRUCache
from werkzeug.routing import Rule

from config import Settings
from reseller import create_app
from reseller.database import db

_compile = Rule.compile
_rules: dict[tuple[Any, ...], Rule] = {}

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


def compiled_once(settings: Settings) -> Flask:
    """A new app, which compiles what no app before it has."""
    with mock.patch.object(Rule, "compile", _compile_rule):
        app = create_app(settings)
    with app.app_context():
        db.engine._compiled_cache = _statements
    app.jinja_env.bytecode_cache = _templates
    return app


def _compile_rule(rule: Rule) -> None:
    """As Werkzeug does; what it found out about the same text before is taken over. Nothing changes it afterwards."""
    if rule.defaults:
        return _compile(rule)
    key = (rule.rule, rule.subdomain, rule.host, rule.merge_slashes, rule.map.host_matching)
    known = _rules.setdefault(key, rule)
    if known is rule:
        return _compile(rule)
    rule._parts, rule._trace, rule._converters, rule.arguments = known._parts, known._trace, known._converters, known.arguments
    rule._build = known._build.__func__.__get__(rule)
    rule._build_unknown = known._build_unknown.__func__.__get__(rule)
    return None
