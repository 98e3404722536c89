"""Form fields that read the values of filters."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import regex
from django import forms
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils.dateparse import parse_datetime

from saltant.server.api import dialect
from saltant.server.api.regexes import MAX_LENGTH, compiled
from saltant.server.tasks import labels

MAX_TEXT = 10_000
MAX_VALUES = 10_000
UUID_DIGITS = re.compile(r"[0-9a-f]{1,32}", re.ASCII)
GROUPS = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))
"""Where the parts of a UUID begin and end."""
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d{1,6})?)?( ?(Z|[+-]\d\d(:?\d\d)?))?", re.ASCII)


class TextField(forms.CharField):
    """Text as it is, spaces too."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=False, max_length=MAX_TEXT, **kwargs)


class RegexField(forms.CharField):
    """A regular expression."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strip=False, max_length=MAX_LENGTH, **kwargs)

    def clean(self, value: Any) -> Any:
        pattern = super().clean(value)
        try:
            compiled(pattern)
            # A missing one stays what it is.
            return dialect.postgresql(pattern) if pattern and connection.vendor == "postgresql" else pattern
        except (regex.error, ValueError, OverflowError, RecursionError, MemoryError) as error:
            raise ValidationError("This is no regular expression: %(error)s.", params={"error": error}) from None


class IdField(forms.IntegerField):
    """An id."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, max_value=2**63 - 1, **kwargs)


class UUIDBeginningField(forms.CharField):
    """The beginning of a UUID, with its hyphens or without them: the first and the last UUID that begin so."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=36, **kwargs)

    def clean(self, value: Any) -> tuple[UUID, UUID] | None:
        text = super().clean(value).lower()
        if not text:
            return None
        digits = text.replace("-", "")
        hyphened = "-".join(digits[start:end] for start, end in GROUPS if digits[start:end])
        # One that ends with a hyphen is the beginning of one, too.
        if not UUID_DIGITS.fullmatch(digits) or text not in (digits, hyphened, f"{hyphened}-"):
            raise ValidationError("Enter the beginning of a UUID, like 0b0c84f5.")
        return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


class LabelsField(forms.Field):
    """Labels that all must hold: `key=value`, or `key` alone for any value. Several are the parameter repeated."""

    def clean(self, value: Any) -> list[tuple[str, str | None]]:
        given = [value] if isinstance(value, str) else list(value or ())
        if len(given) > labels.MOST:
            raise ValidationError(f"Ask for {labels.MOST} labels at most.")
        found: list[tuple[str, str | None]] = []
        for text in given:
            key, equals, wanted = text.partition("=")
            if not text:
                continue
            if not labels.KEY.match(key):
                raise ValidationError(f"Write key=value, or a key alone: {labels.KEY_RULE}.")
            wrong = labels.flaw({key: wanted})
            if wrong:
                raise ValidationError(wrong)
            found.append((key, wanted if equals else None))
        return found


class YearField(forms.IntegerField):
    """A year that databases know."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=9999, **kwargs)


class MomentField(forms.Field):
    """A date with a time, ISO 8601; UTC if it does not say."""

    default_error_messages = {"invalid": "Enter a valid date and time, like 2030-01-31T18:00:00Z."}

    def to_python(self, value: Any) -> datetime | None:
        if value in self.empty_values:
            return None
        try:
            moment = parse_datetime(value) if MOMENT.fullmatch(value) else None
            if moment is not None:
                # Without a zone `astimezone` would take the machine's.
                return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        raise ValidationError(self.error_messages["invalid"], code="invalid")


class ListField(forms.CharField):
    """Comma-separated values. None of them may be missing, unless `each` allows it."""

    each: type[forms.Field] = TextField
    length: int | None = None

    def clean(self, value: Any) -> Any:
        if value in self.empty_values:
            return []
        parts = value.split(",")
        if self.length is not None and len(parts) != self.length:
            raise ValidationError(f"Enter {self.length} values with a comma between them.")
        unique = parts if self.length is not None else list(dict.fromkeys(parts))
        if len(unique) > MAX_VALUES:
            raise ValidationError(f"Enter {MAX_VALUES} values at most.")
        return self.clean_parts(unique)

    def clean_parts(self, parts: Sequence[str]) -> list[Any]:
        """The value of each part."""
        field = self.each(required=self.each is not TextField)
        return [field.clean(part) for part in parts]


class TextListField(ListField):
    """Comma-separated texts."""


class StateListField(TextListField):
    """Comma-separated states. Version 1 takes any text, which no instance has."""


class IdListField(ListField):
    """Comma-separated ids."""

    each = IdField


class MomentRangeField(ListField):
    """Two moments."""

    each = MomentField
    length = 2
