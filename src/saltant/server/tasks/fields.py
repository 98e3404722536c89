"""JSON kept as text, so that what went in comes out, on every database."""

import json
from typing import Any

from django.db import models


class JSONTextField(models.TextField):  # type: ignore[type-arg]
    """A JSON value as the text of `json.dumps`: order, large integers and number forms survive.

    Give `values()` the raw text with `values_list(Cast(field, TextField()))`, or load it with `json.loads`.
    """

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return None if value is None else json.loads(value)

    def to_python(self, value: Any) -> Any:
        return value

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else json.dumps(value, allow_nan=False)

    def value_to_string(self, obj: Any) -> str:
        return json.dumps(self.value_from_object(obj))
