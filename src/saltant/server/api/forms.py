"""Making plain data of forms, so that serializers see the same whichever way a request said it."""

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from rest_framework.request import Request
from rest_framework.serializers import Field, FloatField, IntegerField

from saltant.server.api import json_input
from saltant.server.api.fields import IdListField, JSONValue, Unparsed


def plain(request: Request, fields: Mapping[str, "Field[Any, Any, Any, Any]"]) -> Any:
    """The body of `request`, for a serializer's `fields`: what JSON would have said, if it is a form."""
    data: Any = request.data
    if not isinstance(data, QueryDict):
        return data
    method: str | None = request.method
    return {
        name: _value(data, name, field)
        for name, field in fields.items()
        if not field.read_only
        # A form cannot say an empty list: in a PUT, which says everything, an absent one is empty.
        and (name in data or (method == "PUT" and isinstance(field, IdListField)))
    }


def _value(data: QueryDict, name: str, field: "Field[Any, Any, Any, Any]") -> Any:
    if isinstance(field, IdListField):
        return data.getlist(name)
    if not isinstance(field, JSONValue):
        # An empty text is a form's only way to say null.
        empty = data[name] == "" and field.allow_null and isinstance(field, FloatField | IntegerField)
        return None if empty else data[name]
    text: Any = data[name]
    try:
        return json_input.loads(text) if isinstance(text, str) else Unparsed()
    except json_input.InvalidJSON:
        return Unparsed()
