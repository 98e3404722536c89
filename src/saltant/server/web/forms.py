"""Forms about things of the API: their fields, what a browser sends of them, and saving it by the API's own views."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from rest_framework.serializers import Field, ModelSerializer

from saltant.server.api import json_input
from saltant.server.api.fields import Unparsed
from saltant.server.web.views.base import messages_of


@dataclass(frozen=True)
class Entry:
    """What a form asks for.

    Attributes:
        name: the key in the API's bodies.
        kind: line, area, number, choice, check, lines (a list of texts), json (an object), or a type of <input>:
            password, email, datetime-local.
        help: a sentence that stands beside it.
        choices: values and words.
        kinds: of types: which have it; empty: all.
    """

    name: str
    label: str
    kind: str = "line"
    help: str = ""
    choices: Sequence[tuple[str, str]] = ()
    required: bool = False
    kinds: str = ""
    example: str = ""
    autocomplete: str = "off"


@dataclass(frozen=True)
class Filled:
    """An entry with what stands in it and what is wrong with that."""

    entry: Entry
    value: str
    errors: Sequence[str] = ()

    @property
    def rows(self) -> int:
        """How many lines its field has, if it has several."""
        return min(max(3, self.value.count("\n") + 2), 14)


def filled(entries: Iterable[Entry], values: Mapping[str, str], errors: Mapping[str, Sequence[str]]) -> list[Filled]:
    """The entries, to be shown."""
    return [Filled(each, values.get(each.name, ""), errors.get(each.name, ())) for each in entries]


def shown(entry: Entry, value: Any) -> str:
    """A value as its field shows it."""
    if entry.kind == "lines":
        said: list[str] = value or []
        is_plain = all(each == each.strip() and each.splitlines() == [each] for each in said)
        return "\n".join(said) if is_plain and not (said and said[0].startswith("[")) else json.dumps(said)
    if entry.kind == "json":
        return json.dumps(value, indent=2, ensure_ascii=False) if value else ""
    if entry.kind == "check":
        return "true" if value else ""
    if isinstance(value, float):
        return f"{value:.15g}"
    return "" if value is None else str(value)


def sent(entries: Iterable[Entry], form: QueryDict) -> dict[str, str]:
    """What a browser sent, as the fields showed it. What is absent is as if it were empty."""
    return {each.name: form.get(each.name) or "" for each in entries}


def read(entries: Iterable[Entry], values: Mapping[str, str], serializer: ModelSerializer[Any]) -> dict[str, Any]:
    """Plain data for a serializer, of what fields hold. Empty is null where there may be nothing."""
    return {each.name: _read(each, values[each.name], serializer.fields[each.name]) for each in entries}


def _read(entry: Entry, text: str, field: "Field[Any, Any, Any, Any]") -> Any:
    if entry.kind == "check":
        return text == "true"
    if entry.kind == "lines":
        lines = [each.strip() for each in text.splitlines() if each.strip()]
        return parsed(text) if text.lstrip().startswith("[") else lines
    if entry.kind == "json":
        return parsed(text) if text.strip() else {}
    if not text.strip() and field.allow_null:
        return None
    return text


def parsed(text: str) -> Any:
    """A text's JSON; what is none, the field refuses."""
    try:
        return json_input.loads(text)
    except json_input.InvalidJSON:
        return Unparsed()


def sorted_out(detail: Any, names: Iterable[str]) -> tuple[dict[str, list[str]], list[str]]:
    """An error's sentences: by field, and those that belong to none of `names`."""
    errors: dict[str, Any] = dict(detail) if isinstance(detail, dict) else {"non_field_errors": detail}
    of_fields = {name: messages_of(errors.pop(name)) for name in names if name in errors}
    return of_fields, messages_of(errors)
