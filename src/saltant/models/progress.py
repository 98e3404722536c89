"""How far a task instance is, as its job says it."""

from __future__ import annotations

import datetime as clock
from dataclasses import dataclass, fields
from typing import Any, Self

from saltant.models._encoding import parse_datetime


@dataclass(frozen=True)
class Progress:
    """How far a task instance is, as its job said last. What it did not say is None, or an empty text.

    Attributes:
        percent: From 0 to 100.
        message: What it does, for people.
        done: How much of it is done, in whatever it counts.
        total: How much there is in all.
        datetime: When the server heard of that.
    """

    percent: float | None = None
    message: str = ""
    done: float | None = None
    total: float | None = None
    datetime: clock.datetime | None = None

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Self:
        """Make one of the data of an answer; what a newer server adds is left out."""
        known = {field.name: data[field.name] for field in fields(cls) if field.name in data}
        if known.get("datetime") is not None:
            known["datetime"] = parse_datetime(known["datetime"])
        return cls(**known)
