"""Revisions: what a task type was, from one change to the next."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Self

from saltant.models._encoding import parse_datetime


@dataclass(frozen=True)
class TaskTypeRevision:
    """What a task type was from one change to the next. It never changes.

    Attributes:
        number: Which it is, from 1.
        datetime_created: When it was made.
        changed_by: The name of the user who made it.
        changes: What made it another than the one before: by field, the old and the new value.
        values: All fields of the task type that can be changed, as they were.
    """

    number: int
    datetime_created: datetime
    changed_by: str = ""
    changes: dict[str, list[Any]] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Self:
        """Make one of the data of an answer; what a newer server adds is left out."""
        known = {each.name: data[each.name] for each in fields(cls) if each.name in data}
        known["datetime_created"] = parse_datetime(known["datetime_created"])
        return cls(**known)
