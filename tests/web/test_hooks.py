"""Pages are guarded unless they are openly exempt, and programs' calls pay nothing for it."""

from collections.abc import Callable

import pytest
from flask import Blueprint, Flask

from reseller.web.hooks import MAX_FORM_BYTES, hooks_of


@pytest.fixture
def asked(app: Flask) -> list[str]:
    """What the hooks of pages were asked about."""
    seen: list[str] = []
    hooks_of(app).before.append(lambda: seen.append("before"))
    hooks_of(app).after.append(lambda response: seen.append("after") or response)
    return seen


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/models"), ("GET", "/api/v1/key"), ("POST", "/v1/chat/completions"), ("GET", "/healthz")]
)
def test_no_hook_of_pages_is_asked_for_a_call_of_a_program(app: Flask, asked: list[str], method: str, path: str) -> None:
    """An extension that is added later must not slow the API down unseen."""
    app.test_client().open(path, method=method)

    assert asked == []
    assert [hook.__module__ for hook in app.after_request_funcs[None] if not hook.__module__.startswith("reseller.")] == []


@pytest.mark.parametrize("path", ["/", "/sign-in", "/admin/", "/status", "/nowhere"])
def test_hooks_are_asked_for_everything_else(app: Flask, asked: list[str], path: str) -> None:
    app.test_client().get(path)

    assert "after" in asked


def test_a_new_blueprint_is_guarded_against_forged_forms_without_doing_anything(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    fresh = Blueprint("fresh", __name__)
    fresh.post("/fresh")(lambda: "changed")
    app.register_blueprint(fresh)

    answer = app.test_client().post("/fresh")

    assert answer.status_code == 400
    assert answer.get_data(as_text=True) != "changed"


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_form_that_is_too_large_is_not_read(app: Flask, kind: str) -> None:
    """R29: the bound stands before the first hook that would parse it."""
    answer = app.test_client().post("/sign-in", data=b"a=" + b"x" * MAX_FORM_BYTES, content_type=kind)

    assert answer.status_code == 413
