"""The reference shows the whole description, and what is in it as text."""

import copy
import re
from typing import Any

from flask import Flask, render_template

from reseller.portal.docs.reference import read_reference
from reseller.web.api_description import api_description


def shown(app: Flask) -> str:
    answer = app.test_client().get("/docs/reference")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_every_route_is_there_with_its_fields_examples_and_errors(app: Flask) -> None:
    text = shown(app)

    for path, methods in api_description()["paths"].items():
        for operation in methods.values():
            article = re.search(rf'<article class="operation" id="{operation["operationId"]}">.*?</article>', text, re.DOTALL)
            assert article, path
            assert f"<code>{path}</code>" in article[0]
            assert all(f"<dt><code>{status}</code></dt>" in article[0] for status in operation["responses"] if status != "200")
            assert all(f"<code>{parameter['name']}</code>" in article[0] for parameter in operation.get("parameters", ()))
            assert ("no key needed" in article[0]) is (operation.get("security") == [])


def test_fields_are_told_with_type_bounds_and_need(app: Flask) -> None:
    chat = next(
        route for subject in read_reference(api_description()).subjects for route in subject.routes if route.path == "/chat/completions"
    )
    lines = {line.name: line for line in chat.sent}

    assert (lines["model"].type, lines["model"].is_needed) == ("string, at most 200", True)
    assert lines["n"].type == "integer or null, 1 to 16"
    assert (lines["messages"].type, lines["messages"].object) == ("list of Message, at most 2,000", "Message")
    assert {"models", "plugins"} <= {line.name for line in chat.refused_fields}
    assert "models" not in lines
    assert '"model": "sandbox/echo"' in chat.example_sent
    assert "[DONE]" in chat.example_stream


def test_fields_of_objects_inside_are_told_by_their_path(app: Flask) -> None:
    routes = {route.path: route for subject in read_reference(api_description()).subjects for route in subject.routes}

    names = [line.name for line in routes["/generation"].answered]

    assert {"data", "data.charge", "data.explanation", "data.explanation.lines", "data.explanation.lines[].amount"} <= set(names)
    assert "data.balance" in [line.name for line in routes["/credits"].answered]


def test_what_the_description_says_is_text(app: Flask) -> None:
    """Names and words of the document can be anybody's: a brand, a setting."""
    evil: dict[str, Any] = copy.deepcopy(api_description())
    evil["info"]["description"] = "<script>alert(1)</script> `<img src=x>`"
    evil["paths"]["/credits"]["get"]["summary"] = "<b>bold</b>"

    with app.test_request_context("/docs/reference"):
        text = render_template("docs/reference.html", reference=read_reference(evil))

    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "<b>bold" not in text
