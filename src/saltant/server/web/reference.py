"""The API's reference as a page, made from the OpenAPI document: no script, nothing from elsewhere."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.views.generic import TemplateView

from saltant.server.api.openapi.document import VERSIONS, document

Json = dict[str, Any]
REF = "#/components/schemas/"
TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "null"}
FORMATS = {"date-time": "date and time", "uuid": "UUID", "uri": "URL", "regex": "regular expression"}


@dataclass(frozen=True)
class Row:
    """A field, a parameter or an answer: its name, what it may be, and what it means."""

    name: str
    kind: SafeString
    about: SafeString
    required: bool = False


@dataclass(frozen=True)
class Operation:
    """A method at a path."""

    id: str
    method: str
    path: str
    summary: str
    about: SafeString
    is_open: bool
    parameters: list[Row]
    body: list[Row]
    answers: list[Row]


class ReferenceView(TemplateView):
    """Every endpoint of a version, open to all."""

    template_name = "web/reference.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """The document, in rows."""
        asked = self.request.GET.get("version", "")
        version = asked if asked in VERSIONS else VERSIONS[-1]
        made = document(version)
        schemas: Json = made["components"]["schemas"]
        about = [marked(part) for part in made["info"]["description"].split("\n\n")]
        groups = [(tag["name"], list(operations(made, tag["name"]))) for tag in made["tags"]]
        # Bodies are shown with their operations, but for those that others are made of.
        parts = set(re.findall(rf"{REF}(\w+)", json.dumps(list(schemas.values()))))
        things = [
            (name, rows_of(each))
            for name, each in sorted(schemas.items())
            if name in parts or not name.endswith(("Request", "Form"))
        ]
        return super().get_context_data(
            version=version, versions=VERSIONS, about=about, groups=groups, things=things, **kwargs
        )


def operations(made: Json, tag: str) -> Iterator[Operation]:
    """The operations of a group."""
    for path, methods in made["paths"].items():
        for method, each in methods.items():
            if tag in each["tags"]:
                yield _operation(made, path, method, each)


def _operation(made: Json, path: str, method: str, each: Json) -> Operation:
    body = each.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    resolved = made["components"]["schemas"][body["$ref"].removeprefix(REF)] if body else {}
    parameters = [
        Row(one["name"], kind_of(one["schema"]), marked(one.get("description", "")), one.get("required", False))
        for one in each["parameters"]
    ]
    answers = [
        Row(status, kind_of_answer(one.get("content", {})), marked(one["description"]))
        for status, one in each["responses"].items()
    ]
    return Operation(
        id=each["operationId"],
        method=method.upper(),
        path=path,
        summary=each["summary"],
        about=marked(each["description"]),
        is_open=not each["security"],
        parameters=parameters,
        body=rows_of(resolved),
        answers=answers,
    )


def kind_of_answer(content: Json) -> SafeString:
    """What an answer is: its JSON in words, or the media type of anything else; of none, nothing."""
    if not content:
        return escape("nothing")
    [(media_type, each)] = content.items()
    return kind_of(each["schema"]) if media_type == "application/json" else escape(media_type)


def rows_of(schema: Json) -> list[Row]:
    """The fields of an object."""
    required = schema.get("required", [])
    return [
        Row(name, kind_of(each), marked(each.get("description", "")), name in required)
        for name, each in schema.get("properties", {}).items()
    ]


def kind_of(schema: Json) -> SafeString:
    """What a value may be, in words; objects that have a name are links."""
    if "$ref" in schema:
        name = escape(schema["$ref"].removeprefix(REF))
        return mark_safe(f'<a href="#{name}">{name}</a>')  # noqa: S308 - escaped
    for word, key in ((" or ", "anyOf"), (" and ", "allOf")):
        if key in schema:
            return mark_safe(word.join(dict.fromkeys(kind_of(each) for each in schema[key])))  # noqa: S308 - of these
    if "enum" in schema:
        return escape(" or ".join("null" if value is None else f'"{value}"' for value in schema["enum"]))
    if "const" in schema:
        return escape(f'"{schema["const"]}"')
    kinds = schema.get("type", "anything")
    names = [_name(kind, schema) for kind in (kinds if isinstance(kinds, list) else [kinds])]
    return mark_safe(" or ".join(names) + escape(_bounds(schema)))  # noqa: S308 - escaped, or of these


def _name(kind: str, schema: Json) -> str:
    if kind == "array":
        return f"list of: {kind_of(schema['items'])}"
    if kind == "object":
        fields = ", ".join(schema.get("properties", {}))
        return escape(f"object with {fields}" if fields else "object")
    return escape(FORMATS.get(schema.get("format", ""), "") if kind == "string" else "") or TYPES.get(kind, kind)


def _bounds(schema: Json) -> str:
    said = {
        "exclusiveMinimum": "more than {:g}",
        "minimum": "{:g} or more",
        "maximum": "{:g} at most",
        "maxLength": "{} characters at most",
    }
    # Where a bound is only that of the database, it says nothing to people.
    given = [text.format(schema[key]) for key, text in said.items() if key in schema and schema[key] < 2**62]
    return f" ({', '.join(given)})" if given else ""


def marked(text: str) -> SafeString:
    """A paragraph with its `code` and **strong** words."""
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return mark_safe(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", html))  # noqa: S308 - escaped before
