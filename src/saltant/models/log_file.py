"""Logs of task instances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class LogFile:
    """A log that there is of an attempt to run a task instance.

    Attributes:
        attempt: The number of the attempt, from 1.
        name: `stdout`, `stderr`, or the path of a text file that a container wrote to its logs folder.
        size: Its size by now, in bytes.
        is_cut: Whether it was longer than the server takes; its last line says so.
    """

    attempt: int
    name: str
    size: int
    is_cut: bool = False

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Self:
        """Make one of the data of an answer; what a newer server adds is left out."""
        try:
            return cls(data["attempt"], data["name"], data["size"], bool(data.get("is_cut")))
        except KeyError as error:
            raise ValueError(f"it lacks {error}") from None
