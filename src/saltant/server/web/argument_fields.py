"""The form of a type's required arguments: a field each, of the kind that its default, or a former value, has."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.http import QueryDict

from saltant.server.api import json_input
from saltant.server.tasks.models import TaskType

VALUE, KIND = "argument:", "kind:"
"""What the names of fields begin with, before the argument's own."""
KINDS = (("text", "text"), ("number", "number"), ("boolean", "true or false"), ("json", "JSON"))
FLAWS = {
    "number": "This is no number: write it as 3, 0.5 or 1e-4.",
    "boolean": "Write true or false.",
    "json": 'This is no JSON: write "a text", 3, true, null, [1, 2] or {"a": 1}.',
}
LONG = 80
"""A text of more characters gets a field of several lines."""


@dataclass(frozen=True)
class ArgumentField:
    """A field of the form.

    Attributes:
        is_new: whether nothing says of what kind it is, so that whoever fills it in does.
        default: what it is if it is left empty, as JSON; None: it must be said.
    """

    name: str
    kind: str
    value: str
    is_new: bool = False
    default: str | None = None
    error: str = ""

    @property
    def is_long(self) -> bool:
        """Whether it has several lines."""
        return self.kind == "json" or len(self.value) > LONG or "\n" in self.value


def kind_of(value: Any) -> str:
    """The kind of field that a value is written in."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "json"


def fields_of(task_type: TaskType, given: Mapping[str, Any]) -> list[ArgumentField]:
    """The fields of a type, with what is given or the defaults in them."""
    defaults: Any = task_type.required_arguments_default_values
    found = []
    for name in dict.fromkeys(task_type.required_arguments):
        default = json.dumps(defaults[name], ensure_ascii=False) if name in defaults else None
        if name not in given and default is None:
            found.append(ArgumentField(name, "text", "", is_new=True))
            continue
        value = given.get(name, defaults.get(name))
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        found.append(ArgumentField(name, kind_of(value), text, default=default))
    return found


def others_of(task_type: TaskType, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given beyond the required arguments."""
    return {name: value for name, value in given.items() if name not in task_type.required_arguments}


def sent_fields(task_type: TaskType, form: QueryDict) -> list[ArgumentField]:
    """The fields as a browser sent them; those that it did not send are left out."""
    found = []
    for field in fields_of(task_type, {}):
        if VALUE + field.name not in form:
            continue
        kind = form.get(KIND + field.name, "text")
        text = (form.get(VALUE + field.name) or "").replace("\r\n", "\n")
        found.append(replace(field, kind=kind if kind in dict(KINDS) else "text", value=text))
    return found


def read(fields: list[ArgumentField], others: Any) -> tuple[Any, list[ArgumentField]]:
    """The arguments that the fields say, beside `others`; and the fields, with what is wrong with them."""
    if not isinstance(others, dict):
        return others, fields
    said: dict[str, Any] = {}
    checked = []
    for field in fields:
        if not field.value and (field.default is None or field.kind != "text"):
            # It has a default, or stands among the others.
            is_wrong = field.default is None and field.name not in others
            checked.append(replace(field, error="Say what it is." if is_wrong else ""))
            continue
        value, error = _value(field)
        if not error:
            said[field.name] = value
        checked.append(replace(field, error=error))
    return others | said, checked


def _value(field: ArgumentField) -> tuple[Any, str]:
    if field.kind == "text":
        return field.value, ""
    try:
        value = json_input.loads(field.value)
    except json_input.InvalidJSON:
        return None, FLAWS[field.kind]
    return (value, "") if field.kind in ("json", kind_of(value)) else (None, FLAWS[field.kind])
