"""A sweep: many instances of one type, one for each line of a file. It can be stopped and gone on with.

What was submitted is written to a file of its state, a line each. A line that was sent, but whose answer was not
written down any more, is sent again with the same idempotency key, and so is not made twice.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import click

from saltant.cli.failures import USAGE, Failure
from saltant.cli.verbs.arguments import parse_json

MOST_FLAWS = 10
"""How many bad lines are told of."""


@dataclass(frozen=True)
class Line:
    """A line of the file.

    Attributes:
        number: from 1.
        mark: tells it from all other lines, wherever it stands: a digest of what it says, and which of its kind it is.
    """

    number: int
    arguments: dict[str, Any]
    mark: str


def read_lines(texts: Iterable[str], flaw: Any) -> list[Line]:
    """The lines of a file of arguments, one JSON object a line; empty ones count for nothing.

    Args:
        flaw: What is wrong with arguments, in words; None if nothing is.

    Raises:
        Failure: Some lines are bad; it names them.
    """
    lines: list[Line] = []
    flaws: list[str] = []
    seen: dict[str, int] = {}
    for number, text in enumerate(texts, 1):
        if not text.strip():
            continue
        try:
            arguments = parse_json(text, "it")
        except click.UsageError as error:
            flaws.append(f"line {number}: {error.message.rstrip('.')}")
            continue
        if (wrong := flaw(arguments)) is not None:
            flaws.append(f"line {number}: {wrong}")
            continue
        digest = hashlib.sha256(json.dumps(arguments, sort_keys=True).encode()).hexdigest()[:32]
        seen[digest] = seen.get(digest, 0) + 1
        lines.append(Line(number, arguments, f"{digest}-{seen[digest]}"))
    if flaws:
        more = f" And {len(flaws) - MOST_FLAWS} more." if len(flaws) > MOST_FLAWS else ""
        raise Failure(f"Nothing was submitted. {'; '.join(flaws[:MOST_FLAWS])}.{more}", USAGE)
    if not lines:
        raise Failure("There is no line with arguments, such as {}: nothing was submitted.", USAGE)
    return lines


@dataclass
class Sweep:
    """What was submitted of a sweep, kept in a file if there is one.

    Args:
        path: The file; None keeps nothing.
        about: What it is a sweep of: server, type, queue and name.
        anew: Whether to forget what was submitted before.

    Attributes:
        submitted: The UUIDs, by the marks of their lines.
        begun: The numbers that lines had when they were first sent, by their marks: what is sent again is the same.
    """

    path: Path | None
    about: dict[str, Any]
    anew: bool = False
    submitted: dict[str, str] = field(default_factory=dict)
    begun: dict[str, int] = field(default_factory=dict)
    id: str = field(default_factory=lambda: uuid4().hex)
    _lock: Lock = field(default_factory=Lock)

    def __enter__(self) -> Self:
        self._file = None
        if self.path is not None:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._file = os.fdopen(os.open(self.path, flags, 0o644), "r+", encoding="utf-8")
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Failure(f"Another `saltant map` works with {self.path} now.", USAGE) from None
            self._load()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def key_of(self, line: Line) -> str:
        """The idempotency key of a line."""
        return f"map-{hashlib.sha256(f'{self.id} {line.mark}'.encode()).hexdigest()}"

    def begin(self, line: Line) -> int:
        """Write down that a line is about to be sent; returns the number that it goes by."""
        if line.mark not in self.begun:
            self.begun[line.mark] = line.number
            self._write({"line": line.number, "mark": line.mark})
        return self.begun[line.mark]

    def note(self, line: Line, uuid: str) -> None:
        """Write down that a line was submitted."""
        self.submitted[line.mark] = uuid
        self._write({"line": line.number, "mark": line.mark, "uuid": uuid})

    def _load(self) -> None:
        assert self._file is not None  # noqa: S101 - for the type checker
        self._file.seek(0)
        text = self._file.read()
        whole, _, rest = text.rpartition("\n")
        if self.anew or not whole:
            self._file.truncate(0)
            self._write({"sweep": self.id, **self.about})
            return
        if rest:  # cut off while it was written
            self._file.truncate(len(f"{whole}\n".encode()))
        try:
            head, *notes = [json.loads(each) for each in whole.split("\n")]
            self.id = head.pop("sweep")
            self.submitted = {each["mark"]: each["uuid"] for each in notes if "uuid" in each}
            self.begun = {each["mark"]: int(each["line"]) for each in reversed(notes)}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Failure(f"{self.path} is no state of a sweep: name another file by --state.", USAGE) from None
        if head != self.about:
            other = next(name for name in {**head, **self.about} if head.get(name) != self.about.get(name))
            raise Failure(
                f"{self.path} is about a sweep with another {other} ({head.get(other)!r}). --anew begins a new one; "
                "--state keeps both.",
                USAGE,
            )

    def _write(self, said: dict[str, Any]) -> None:
        with self._lock:  # lines are sent by several threads
            if self._file is not None:
                self._file.write(json.dumps(said) + "\n")
                self._file.flush()
