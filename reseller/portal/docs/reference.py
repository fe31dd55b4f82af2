"""The API's description as people read it: routes by subject, each with what goes in, what comes out and how it is refused.

Pure: reads an OpenAPI document, writes lines for a template.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reseller.web.api_description import Document

Schema = Mapping[str, Any]
DEEPEST = 3


@dataclass(frozen=True, slots=True)
class Line:
    """One field, parameter or header. `object` names the object that its type refers to."""

    name: str
    type: str
    words: str
    is_needed: bool = False
    object: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """One status that a route may answer instead."""

    status: str
    words: str


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path."""

    id: str
    method: str
    path: str
    summary: str
    words: str
    needs_key: bool
    parameters: tuple[Line, ...]
    sent: tuple[Line, ...]
    refused_fields: tuple[Line, ...]
    example_sent: str
    answered: tuple[Line, ...]
    headers: tuple[str, ...]
    example_answered: str
    example_stream: str
    refusals: tuple[Refused, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """Routes that belong together."""

    id: str
    title: str
    words: str
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True)
class Described:
    """An object with its fields. Of one that comes in several forms each has a title of its own."""

    id: str
    title: str
    fields: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """All of it. `objects` are those that fields refer to, by name; `headers` are those of answers."""

    words: str
    servers: tuple[str, ...]
    subjects: tuple[Subject, ...]
    objects: tuple[Described, ...]
    headers: tuple[Line, ...]


NAMED = ("Message", "ContentPart", "Tool", "Usage", "Pricing", "Model")
"""Objects with a place of their own; every other is written out where it stands."""


def read_reference(document: Document) -> Reference:
    """The document in the order of its tags and paths."""
    reader = _Reader(document)
    subjects = [
        Subject(_anchor(tag["name"]), tag["name"], tag["description"], tuple(reader.routes(tag["name"]))) for tag in document["tags"]
    ]
    headers = (Line(name, _type(header["schema"]), header["description"]) for name, header in document["components"]["headers"].items())
    objects = tuple(described for name in NAMED for described in reader.objects(name))
    servers = tuple(server["url"] for server in document["servers"])
    return Reference(document["info"]["description"], servers, tuple(subjects), objects, tuple(headers))


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


class _Reader:
    def __init__(self, document: Document) -> None:
        self._document = document
        self.schemas: Mapping[str, Schema] = document["components"]["schemas"]

    def routes(self, tag: str) -> Iterator[Route]:
        for path, methods in self._document["paths"].items():
            for method, operation in methods.items():
                if tag in operation["tags"]:
                    yield self._route(path, method, operation)

    def objects(self, name: str) -> Iterator[Described]:
        """The object of this name, or its forms."""
        schema = self.schemas[name]
        for number, form in enumerate(schema.get("oneOf", [schema])):
            title = f"{name}: {form['title']}" if "title" in form else name
            yield Described(f"object-{name}" if not number else f"object-{name}-{number}", title, tuple(self.fields(form)))

    def _route(self, path: str, method: str, operation: Mapping[str, Any]) -> Route:
        done = operation["responses"]["200"]
        sent = self._content(operation.get("requestBody", {}), "application/json")
        whole, stream = self._content(done, "application/json"), self._content(done, "text/event-stream")
        fields = tuple(self._of_body(sent.get("schema", {})))
        return Route(
            id=operation["operationId"],
            method=method.upper(),
            path=path,
            summary=operation["summary"],
            words=operation.get("description", ""),
            needs_key=operation.get("security") != [],
            parameters=tuple(self._parameter(parameter) for parameter in operation.get("parameters", ())),
            sent=tuple(line for line, is_refused in fields if not is_refused),
            refused_fields=tuple(line for line, is_refused in fields if is_refused),
            example_sent=_written(sent.get("example")),
            answered=tuple(self.fields(whole.get("schema", {}))),
            headers=tuple(done["headers"]),
            example_answered=_written(whole.get("example")),
            example_stream=stream.get("example", ""),
            refusals=tuple(Refused(status, answer["description"]) for status, answer in operation["responses"].items() if status != "200"),
        )

    @staticmethod
    def _content(holder: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = holder.get("content", {}).get(kind, {})
        return found

    def _parameter(self, parameter: Mapping[str, Any]) -> Line:
        where = {"query": "query", "path": "path", "header": "header"}[parameter["in"]]
        return Line(parameter["name"], f"{_type(parameter['schema'])}, in the {where}", parameter["description"], parameter["required"])

    def _of_body(self, schema: Schema) -> Iterator[tuple[Line, bool]]:
        """The fields of a body with whether they are refused; a choice of bodies has none of its own."""
        schema = self._resolved(schema)
        for name, of_field in schema.get("properties", {}).items():
            yield self._line(name, of_field, name in schema.get("required", ())), bool(of_field.get("x-refused"))

    def fields(self, schema: Schema, prefix: str = "", depth: int = 0) -> Iterator[Line]:
        """The fields of an object, those of objects inside it after each."""
        schema = self._resolved(schema)
        for part in (schema, *(self._resolved(part) for part in schema.get("oneOf", ()))):
            for name, of_field in part.get("properties", {}).items():
                yield self._line(prefix + name, of_field, name in part.get("required", ()))
                inside = self._inside(of_field)
                if inside is not None and depth < DEEPEST:
                    yield from self.fields(inside, f"{prefix}{name}{'[]' if of_field.get('type') == 'array' else ''}.", depth + 1)

    def _line(self, name: str, schema: Schema, is_needed: bool) -> Line:
        return Line(name, _type(schema), schema.get("description", ""), is_needed, _object_of(schema))

    def _inside(self, schema: Schema) -> Schema | None:
        """The object that a field is, or holds a list of, if it is written out in its place."""
        if _object_of(schema):
            return None
        inner = schema.get("items", schema) if schema.get("type") == "array" else schema
        if "oneOf" in inner:
            inner = next((part for part in inner["oneOf"] if part.get("type") == "object"), inner)
        return inner if inner.get("properties") else None

    def _resolved(self, schema: Schema) -> Schema:
        return self.schemas[_name_of(schema)] if "$ref" in schema else schema


def _name_of(schema: Schema) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _object_of(schema: Schema) -> str:
    """The object with a place of its own that this type refers to."""
    candidates = [schema, schema.get("items", {}), *schema.get("oneOf", ())]
    return next((_name_of(part) for part in candidates if "$ref" in part and _name_of(part) in NAMED), "")


def _type(schema: Schema) -> str:
    """The type in words."""
    if "$ref" in schema:
        return _name_of(schema)
    if "const" in schema:
        return _literal(schema["const"])
    if "enum" in schema:
        return " or ".join(_literal(value) for value in schema["enum"])
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return " or ".join(dict.fromkeys(_type(part) for part in schema[choice]))
    kinds = schema.get("type", "any, passed on")
    words = " or ".join(_named(kind, schema) for kind in ([kinds] if isinstance(kinds, str) else kinds))
    return words + _bounds(schema)


def _named(kind: str, schema: Schema) -> str:
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return str({"date-time": "instant", "date": "day"}.get(schema.get("format", ""), kind)) if kind == "string" else kind


def _bounds(schema: Schema) -> str:
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f", {least:,} to {most:,}"
    longest = schema.get("maxItems", schema.get("maxLength"))
    return f", at most {longest:,}" if longest else ""


def _literal(value: Any) -> str:
    return (
        json.dumps(value) if isinstance(value, str | list | dict) else {None: "null", True: "true", False: "false"}.get(value, str(value))
    )


def _written(example: Any) -> str:
    return "" if example is None else json.dumps(example, indent=2, ensure_ascii=False)
