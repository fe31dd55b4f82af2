"""What happens before and after every request of a page, and of no program's call.

Extensions hang their hooks on the whole app. Ten microseconds for each call of the API are too many for questions
that its answer never depends on, so the hooks are taken over and asked for pages only: one look into a set for the rest.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, abort, g, request

from reseller import tally
from reseller.clock import monotonic
from reseller.tally import Part
from reseller.web import forms_read
from reseller.web.forms_read import Readers

MAX_FORM_BYTES = 262_144


@dataclass(slots=True)
class PageHooks:
    """The hooks of pages. Whatever is not openly `exempt` is a page."""

    exempt: set[str] = field(default_factory=set)  # blueprints of programs
    uncounted: set[str] = field(default_factory=set)  # blueprints that are no part of the website as customers see it
    guarded: dict[str, Callable[[str], bool]] = field(default_factory=dict)  # blueprint → whether it answers under this host
    before: list[Callable[..., Any]] = field(default_factory=list)
    after: list[Callable[..., Any]] = field(default_factory=list)
    readers: Readers = field(default_factory=Readers)

    @contextmanager
    def taken_over(self, app: Flask) -> Iterator[None]:
        """Hooks that are hung on the whole app inside are asked for pages only."""
        chains: list[tuple[list[Any], list[Callable[..., Any]]]] = [
            (app.before_request_funcs.setdefault(None, []), self.before),
            (app.after_request_funcs.setdefault(None, []), self.after),
        ]
        lengths = [len(theirs) for theirs, _ in chains]
        yield
        for (theirs, ours), length in zip(chains, lengths, strict=True):
            ours.extend(theirs[length:])
            del theirs[length:]
        app.before_request(self._before)
        app.after_request(self._after)

    def guard(self, blueprints: Iterable[str], answers: Callable[[str], bool]) -> None:
        """Pages of these blueprints answer only under hosts for which `answers` says so."""
        self.guarded.update(dict.fromkeys(blueprints, answers))

    def _before(self) -> Any:
        blueprint = request.blueprint
        if blueprint in self.exempt:
            return None
        g.page_began_at = monotonic()
        request.max_content_length = MAX_FORM_BYTES  # first: what comes next reads the form
        forms_read.read(self.readers)
        answers = self.guarded.get(blueprint or "")
        if answers is not None and not answers(request.host.lower()):
            abort(400, "This address is not ours.")
        if answers is not None and has_nul():
            abort(400, "Text cannot hold a NUL character.")
        return next((answer for hook in self.before if (answer := hook()) is not None), None)

    def _after(self, response: Response) -> Response:
        if request.blueprint in self.exempt:
            return response
        for hook in reversed(self.after):
            response = hook(response)
        self._note(response)
        return response

    def _note(self, response: Response) -> None:
        """Pages of customers and strangers are the website; those of staff, files and streams are not, nor is the status page."""
        blueprint = request.blueprint
        if blueprint in self.uncounted or blueprint not in self.guarded or response.mimetype == "text/event-stream":
            return
        took_ms = (monotonic() - g.page_began_at) * 1000 if "page_began_at" in g else None
        tally.note(Part.WEBSITE, is_good=response.status_code < 500, milliseconds=took_ms)


def has_nul() -> bool:
    """Whether something that was sent along holds the one character that no text in PostgreSQL can have."""
    sent = (text for fields in (request.args, request.form) for _, text in fields.items(multi=True))
    return any("\x00" in text for text in (request.path, *sent))


def hooks_of(app: Flask) -> PageHooks:
    hooks = app.extensions["page_hooks"]
    assert isinstance(hooks, PageHooks)
    return hooks
