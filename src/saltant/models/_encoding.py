"""Values between Python and the wire: filters, parts of a path, datetimes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any
from urllib.parse import quote
from uuid import UUID

Query = list[tuple[str, str]]

LABEL = "label"
"""The filter of labels, which may come several times."""
MANY = ("__in", "__range")
"""The ends of the filters that take several values."""


def encode_filters(filters: Mapping[str, Any] | None) -> Query | None:
    """The query of these filters; None if nothing can match them.

    Raises:
        ValueError: A value cannot be told in a query.

    >>> encode_filters({"state__in": ["failed", "terminated"], "active": True})
    [('state__in', 'failed,terminated'), ('active', 'true')]
    >>> encode_filters({"name__in": []}) is None
    True
    """
    query = []
    for key, value in (filters or {}).items():
        if not isinstance(key, str):
            raise ValueError(f"The filter {key!r} is no text")
        if key == LABEL:
            query += [(key, text) for text in _labels(value)]
            continue
        if isinstance(value, (list, tuple, set, frozenset)) or (_is_collection(value) and key.endswith(MANY)):
            if not value and key.endswith("__in"):
                return None  # the server would take an empty value for no filter at all
            value = _join(key, value)
        query.append((key, _encode(key, value)))
    return query


def _labels(value: object) -> list[str]:
    """The labels that all must hold, each as the API takes it: `key=value`, or `key` for any value."""
    if isinstance(value, Mapping):
        texts = [f"{key}={text}" if isinstance(text, str) else None for key, text in value.items()]
    elif isinstance(value, str):
        texts = [value]
    else:
        texts = [text if isinstance(text, str) else None for text in (value if _is_collection(value) else [None])]  # type: ignore[attr-defined]
    found = [text for text in texts if text]
    if not found or len(found) < len(texts):
        raise ValueError(f'The filter label takes a dict of texts, or texts such as "key=value", not {value!r}')
    return found


def _is_collection(value: object) -> bool:
    return isinstance(value, Collection) and not isinstance(value, (str, bytes, Mapping))


def _join(key: str, values: Collection[Any]) -> str:
    if not key.endswith(MANY):
        raise ValueError(f"The filter {key} takes one value, not {values!r}: several go with {key}__in")
    if key.endswith("__range") and len(values) != 2:
        raise ValueError(f"The filter {key} takes two values, the first and the last, not {len(values)}")
    texts = [_encode(key, value) for value in values]
    for text in texts:
        if "," in text:
            raise ValueError(f"The filter {key} cannot have a value with a comma, {text!r}: commas part its values")
    joined = ",".join(texts)
    if not joined:
        raise ValueError(f"The filter {key} cannot have the empty text as its only value")
    return joined


def _encode(key: str, value: object) -> str:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float, UUID)):
        return str(value)
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            # Which zone is meant cannot be known here, and a wrong guess shifts the result by hours, unseen.
            raise ValueError(f"The filter {key} needs a datetime with a time zone: add tzinfo, such as datetime.UTC")
        return value.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
    if isinstance(value, date):
        raise ValueError(f"The filter {key} needs a datetime with a time zone, not a mere date")
    raise ValueError(f"The filter {key} cannot have the value {value!r}")


def parse_datetime(text: str) -> datetime:
    """The datetime of an ISO 8601 text, always with a time zone: UTC if the text has none.

    >>> parse_datetime("2024-05-06T07:08:09.123456Z")
    datetime.datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=datetime.timezone.utc)
    """
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def uuid_text(value: object) -> str:
    """A UUID as text; of a task instance, its own."""
    return str(getattr(value, "uuid", value))


def segment(value: object) -> str:
    """One segment of a URL's path, encoded. A task instance stands for its UUID.

    Raises:
        ValueError: It is empty, or a dot segment, which would lead to another path.

    >>> segment("a/b ü")
    'a%2Fb%20%C3%BC'
    """
    text = uuid_text(value)
    if text in ("", ".", ".."):
        raise ValueError(f"{text!r} names no resource")
    return quote(text, safe="")
