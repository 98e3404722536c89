"""The one place where results are printed: for a terminal, a pipe, a program, or as ids alone.

    a terminal      tables and colour, as wide as it is; narrow ones lose columns
    a pipe          rows with tabs between the values, no header
    --json          JSON: a list of objects, or one object
    --quiet         ids alone, one a line

Hints and progress go to stderr, and nowhere with --quiet. rich is imported when something is drawn on a terminal.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

import click

from saltant.cli import times
from saltant.cli.rows import clean
from saltant.states import State

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: the key in JSON, and the header unless `title` says otherwise.
        title: the header on a terminal.
        keep: narrow terminals lose the columns with the lowest first; None: this one stays.
        right: whether it is aligned at its right, as numbers are.
        short: how many characters of it a terminal shows, as of a UUID; None: all.
        only_json: whether it is in JSON alone.
        only_drawn: whether it is on terminals alone, and there if a row has something in it.
    """

    name: str
    title: str | None = None
    keep: int | None = None
    right: bool = False
    short: int | None = None
    only_json: bool = False
    only_drawn: bool = False

    @property
    def header(self) -> str:
        """What stands above it."""
        return (self.name.replace("_", " ") if self.title is None else self.title).upper()


@dataclass(frozen=True)
class Share:
    """How much of something is done: a bar on a terminal, and words everywhere."""

    percent: float | None
    words: str

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True)
class Mark:
    """How a state looks on a terminal."""

    mark: str
    ascii: str
    colour: str


MARKS = {
    State.CREATED: Mark("·", ".", "bright_black"),
    State.PUBLISHED: Mark("○", "o", "yellow"),
    State.RUNNING: Mark("●", ">", "blue"),
    State.SUCCESSFUL: Mark("✓", "+", "green"),
    State.FAILED: Mark("✗", "x", "red"),
    State.TERMINATED: Mark("■", "#", "magenta"),
}


class Output:
    """Where a command prints.

    Args:
        json: whether --json was given. It goes before --quiet.
        quiet: whether --quiet was given.
        stdout, stderr: other streams than the process's own.
    """

    def __init__(
        self, json: bool = False, quiet: bool = False, *, stdout: TextIO | None = None, stderr: TextIO | None = None
    ) -> None:
        self.json = json
        self.quiet = quiet
        self._stdout = stdout
        self._stderr = stderr

    @property
    def stdout(self) -> TextIO:
        """Where results go."""
        return self._stdout or sys.stdout

    @property
    def stderr(self) -> TextIO:
        """Where hints and progress go."""
        return self._stderr or sys.stderr

    @property
    def is_drawn(self) -> bool:
        """Whether results are drawn for a terminal."""
        return not self.json and not self.quiet and self.stdout.isatty()

    @cached_property
    def console(self) -> Console:
        """rich's, on stdout."""
        return _console(self.stdout)

    @cached_property
    def error_console(self) -> Console:
        """rich's, on stderr."""
        return _console(self.stderr)

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[object]], ids: str) -> None:
        """Print rows. But for a terminal each is printed when it comes.

        Args:
            columns: Its columns.
            rows: For each row the values of all columns.
            ids: The name of the column that --quiet prints.
        """
        if self.json:
            self._json_list(columns, rows)
        elif self.quiet:
            place = [each.name for each in columns].index(ids)
            for row in rows:
                self._write(clean(plain(row[place])))
        elif self.is_drawn:
            self.console.print(self.drawn(columns, rows))
        else:
            shown = [place for place, each in enumerate(columns) if not (each.only_json or each.only_drawn)]
            for row in rows:
                self._write("\t".join(clean(plain(row[place])) for place in shown))

    def drawn(self, columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> Table:
        """The table as rich draws it, for this terminal's width. For live tables."""
        from saltant.cli.drawing import draw

        return draw(columns, rows, self.console.width, ascii_only=self._is_ascii)

    def one(self, fields: Mapping[str, object], ids: str) -> None:
        """Print one thing: its fields, in their order.

        Args:
            ids: The name of the field that --quiet prints.
        """
        if self.json:
            self._write(json.dumps(jsonable(fields), indent=2))
        elif self.quiet:
            self._write(clean(plain(fields[ids])))
        elif self.is_drawn:
            from saltant.cli.drawing import draw_one

            self.console.print(draw_one(fields, ascii_only=self._is_ascii))
        else:
            for name, value in fields.items():
                self._write(f"{clean(name)}\t{clean(plain(value))}")

    def line(self, *parts: object) -> None:
        """Print a sentence that is the result, where there is nothing to list. Not with --json or --quiet.

        Args:
            parts: What is printed one after the other. A `State` has its mark and colour on a terminal.
        """
        if self.is_drawn and any(isinstance(part, State) for part in parts):
            from saltant.cli.drawing import sentence

            self.console.print(sentence(parts, ascii_only=self._is_ascii), soft_wrap=True)
        elif not self.json and not self.quiet:
            self._write("".join(clean(plain(part)) for part in parts))

    def coloured(self, text: str, colour: str | None) -> None:
        """Print a line, in a colour on a terminal that wants any."""
        shown = clean(text)
        if colour and self.stdout.isatty() and not os.environ.get("NO_COLOR"):
            shown = click.style(shown, fg=colour)
        self._write(shown)

    def hint(self, *parts: object) -> None:
        """Say something on stderr beside the results. Not with --quiet."""
        if not self.quiet:
            click.echo("".join(clean(plain(part)) for part in parts), file=self.stderr)

    @contextmanager
    def progress(self, text: str, total: int | None = None) -> Iterator[Progress]:
        """A bar on stderr while something goes on; nothing is drawn with --quiet, or where no terminal is."""
        if self.quiet or not self.stderr.isatty() or self.error_console.is_dumb_terminal:
            yield Progress()
            return
        from saltant.cli.drawing import bar

        with bar(self.error_console, clean(text), total) as progress:
            yield progress

    @property
    def _is_ascii(self) -> bool:
        return not (self.stdout.encoding or "").lower().replace("-", "").startswith("utf8")

    def _json_list(self, columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> None:
        """One object a line, so that `grep` finds its way, and each is there as soon as it is known."""
        names = [(place, each.name) for place, each in enumerate(columns) if not each.only_drawn]
        before = "[\n "
        for row in rows:
            self._write(before + json.dumps(jsonable({name: row[place] for place, name in names})), end="")
            before = ",\n "
        self._write("[]" if before.startswith("[") else "\n]")

    def _write(self, text: str, end: str = "\n") -> None:
        click.echo(text + end, file=self.stdout, nl=False)


class Progress:
    """What moves a bar on. This one moves nothing."""

    is_drawn = False

    def advance(self, count: int = 1) -> None:
        """So many more are done."""

    def update(self, done: int | None = None, text: str | None = None, total: int | None = None) -> None:
        """So many are done; say something else beside the bar; so many are to be done."""


def plain(value: object) -> str:
    """A value as text for pipes: datetimes in ISO 8601, lists with commas, what is None empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return times.iso(value)
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, Mapping):
        return json.dumps(jsonable(value), ensure_ascii=False)
    if isinstance(value, (list, tuple)):
        return ",".join(map(plain, value))
    return str(value)


def jsonable(value: Any) -> Any:
    """A value as JSON has it: datetimes in ISO 8601 and UTC."""
    if isinstance(value, datetime):
        return times.iso(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): jsonable(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(each) for each in value]
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    # A terminal that tells no width, as in some recorders, is taken for one of the usual width.
    width = None if os.environ.get("COLUMNS", "").isdigit() else _width_of(stream)
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


def _width_of(stream: TextIO) -> int:
    """How wide the terminal behind a stream is."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
