"""Every page of the back office as a row: whose view, which address and methods, who may. Read from the app, not written down."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from flask import Flask
from werkzeug.routing import Rule
from wtforms import Form

from reseller.backoffice.access import Guarded, Roles
from reseller.backoffice.editing import EditableTable
from reseller.backoffice.tables import TableView

NOBODY: Roles = frozenset()
READ_ARGUMENT = re.compile(r"request\.(?:args|values)(?:\.get\(|\.getlist\(|\[)\s*\"(\w+)\"")
READ_FIELD = re.compile(r"request\.(?:form|values)(?:\.get\(|\.getlist\(|\[)\s*\"(\w+)\"")


@dataclass(frozen=True, slots=True)
class Route:
    """One page of a view at one address."""

    view: Any
    page: str  # the name of its method, as `access` names it
    rule: Rule

    def __str__(self) -> str:
        return f"{self.rule.rule} ({type(self.view).__name__}.{self.page})"

    @property
    def roles(self) -> Roles:
        """Who may: what the view declares; nobody if it declares nothing."""
        return self.view.access.get(self.page, NOBODY)

    @property
    def is_confirmed(self) -> bool:
        """Whether the second factor is asked for again."""
        return self.page in self.view.confirmed

    @property
    def methods(self) -> set[str]:
        return set(self.rule.methods or ())

    @property
    def is_inherited(self) -> bool:
        """Whether the page came with the base class, so that a view need not declare it to keep it shut."""
        return hasattr(EditableTable if isinstance(self.view, EditableTable) else TableView, self.page) and isinstance(self.view, TableView)

    @property
    def needs_row(self) -> bool:
        """Whether `?id=` names the row that is shown."""
        return isinstance(self.view, TableView) and self.page in ("details_view", "edit_view")

    @property
    def modules(self) -> list[ModuleType]:
        """The view's module and those of the back office that it calls by name."""
        own = inspect.getmodule(type(self.view))
        assert own is not None
        return [own, *(each for _, each in inspect.getmembers(own, inspect.ismodule) if each.__name__.startswith("reseller.backoffice."))]

    def fields(self) -> list[str]:
        """The names in a form that this page, or another of its module, reads."""
        names = {name for module in self.modules for name in READ_FIELD.findall(inspect.getsource(module))}
        forms = [each for module in self.modules for _, each in inspect.getmembers(module, inspect.isclass) if issubclass(each, Form)]
        for form in [*forms, getattr(self.view, "form", None)]:
            names |= {name for name in dir(form) if hasattr(getattr(form, name), "field_class")}
        return sorted(names)

    def arguments(self) -> list[str]:
        """The names in the query that this page, or another of its module, reads."""
        names = {name for module in self.modules for name in READ_ARGUMENT.findall(inspect.getsource(module))}
        if isinstance(self.view, TableView):
            names |= {"id", "after", *(each.arg for each in self.view.column_filters)}
        return sorted(names)


def routes_of(app: Flask) -> list[Route]:
    """Every route of every view, in the order of their addresses."""
    return sorted(_routes(app), key=lambda route: route.rule.rule)


def _routes(app: Flask) -> Iterator[Route]:
    views = {view.endpoint: view for admin in app.extensions["admin"] for view in admin._views}
    for rule in app.url_map.iter_rules():
        endpoint, _, page = rule.endpoint.rpartition(".")
        if endpoint in views:
            yield Route(views[endpoint], page, rule)


def strangers_below(app: Flask, prefix: str) -> list[str]:
    """Addresses below the prefix that belong to no guarded view."""
    known = {str(route.rule) for route in routes_of(app) if isinstance(route.view, Guarded)}
    return [rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith(prefix) and str(rule) not in known]
