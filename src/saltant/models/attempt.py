"""Attempts: a task instance that is tried again has more than one."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Self

from saltant.models._encoding import parse_datetime


@dataclass(frozen=True)
class TaskAttempt:
    """One attempt to run a task instance. What cannot be known, or not yet, is None.

    Attributes:
        number: Which it is, from 1.
        worker: The worker that claimed it.
        reason: Why it ended, as one word of a fixed list.
        message: Why it ended, for people.
        datetime_claimed: When the worker claimed it.
        datetime_started: When its program was started.
        datetime_finished: When nothing of it was left.
        exit_code: What its program returned.
        signal: The signal that killed its program.
        cpu_seconds: The CPU time of its processes, in seconds.
        peak_memory: The most memory that its processes had, in bytes.
        image_digest: What identifies the image that its container was made from, as `sha256:…`.
    """

    number: int
    worker: str
    reason: str | None = None
    message: str = ""
    datetime_claimed: datetime | None = None
    datetime_started: datetime | None = None
    datetime_finished: datetime | None = None
    exit_code: int | None = None
    signal: int | None = None
    cpu_seconds: float | None = None
    peak_memory: int | None = None
    image_digest: str | None = None

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Self:
        """Make one of the data of an answer; what a newer server adds is left out."""
        known = {field.name: data[field.name] for field in fields(cls) if field.name in data}
        for name, value in known.items():
            if name.startswith("datetime_") and value is not None:
                known[name] = parse_datetime(value)
        return cls(**known)
