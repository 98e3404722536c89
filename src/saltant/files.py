"""What worker, server and SDK say to each other about the files of an attempt: its logs and its results.

Names come from jobs, and so from anybody: `check_name` stands on every side, and no side makes a path of a name that
did not pass it.
"""

import unicodedata
from dataclasses import dataclass
from typing import Final

from saltant.jobs import Attempt

LONGEST_NAME: Final = 1024
"""Bytes of a name, in UTF-8."""
MOST_BYTES: Final = 4 * 1024 * 1024
"""What one request of a worker may carry, of logs as of results."""
NO_MORE: Final = -1
"""In the place of an offset: the server wants nothing more of this file."""
STREAMS: Final = ("stdout", "stderr")
"""The logs that every attempt has."""


@dataclass(frozen=True, slots=True)
class LogChunk:
    """A piece of a log: `data` stands at `offset`."""

    attempt: Attempt
    name: str
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class ResultOffer:
    """A file that a job left in its results folder; `sha256` in hexadecimal digits."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file of a results folder that its worker does not take, and a sentence that says why.

    `name` is for people to read: it is the name of nothing that can be asked for.
    """

    name: str
    why: str


class BadName(ValueError):
    """A file cannot be named like this. The message is a sentence that says why."""


def check_name(name: str) -> str:
    """`name`, where it is the relative path of a file and leaves no folder that it is taken to be in.

    Raises:
        BadName: it is not.
    """
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise BadName("A file's name must be valid Unicode.") from None
    if not name:
        raise BadName("A file must have a name.")
    if size > LONGEST_NAME:
        raise BadName(f"A file's name may have {LONGEST_NAME} bytes, not {size}.")
    if "\\" in name or any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in name):
        raise BadName("A file's name may hold no backslash and no control character.")
    if any(part in ("", ".", "..") for part in name.split("/")):
        raise BadName("A file's name must be a relative path without empty parts, '.' and '..'.")
    return name


def safe_name(name: str) -> bool:
    """Whether `check_name` lets `name` pass."""
    try:
        check_name(name)
    except BadName:
        return False
    return True


class CannotKeep(Exception):
    """The server cannot keep a file now. The message is a sentence that says why; trying again later may help.

    Attributes:
        is_full: whether there is no room.
    """

    def __init__(self, message: str, *, is_full: bool = False) -> None:
        super().__init__(message)
        self.is_full = is_full
