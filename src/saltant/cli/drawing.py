"""What is drawn on a terminal, with rich. Imported when something is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from saltant.cli import times
from saltant.cli.output import MARKS, Column, Progress, Share, plain
from saltant.cli.rows import clean
from saltant.states import State

GAP = 2
"""How many spaces part two columns."""
BAR = 10
"""How wide a bar in a table is."""
FOLDED = 16
"""How narrow a column that may go is folded before it goes."""


def cell(value: object, *, ascii_only: bool = False) -> Text:
    """A value as a cell of a table."""
    if isinstance(value, Text):
        return value
    if isinstance(value, State):
        return state_text(value, ascii_only=ascii_only)
    if isinstance(value, Share):
        return share_text(value, ascii_only=ascii_only)
    if isinstance(value, datetime):
        return Text(times.relative(value))
    return Text(clean(plain(value)))


def state_text(state: str, *, ascii_only: bool = False) -> Text:
    """A state with its mark, in its colour; one that is not known as it is."""
    try:
        look = MARKS[State(state)]
    except ValueError:
        return Text(clean(state))
    return Text(f"{look.ascii if ascii_only else look.mark} {State(state).value}", style=look.colour)


def share_text(share: Share, *, ascii_only: bool = False) -> Text:
    """How much is done, as a bar if that is known, and in words."""
    words = clean(share.words)
    if share.percent is None:
        return Text(words)
    full = int(BAR * min(share.percent, 100.0) / 100)
    done, rest = ("#", "-") if ascii_only else ("━", "─")
    return Text.assemble((done * full, "blue"), (rest * (BAR - full), "bright_black"), f" {words}")


def sentence(parts: Sequence[object], *, ascii_only: bool = False) -> Text:
    """Parts of a sentence one after the other."""
    return Text().join(cell(part, ascii_only=ascii_only) for part in parts)


def draw(columns: Sequence[Column], rows: Iterable[Sequence[object]], width: int, *, ascii_only: bool = False) -> Table:
    """A table no wider than that."""
    rows = list(rows)
    shown = [
        (place, each)
        for place, each in enumerate(columns)
        if not each.only_json and not (each.only_drawn and all(row[place] is None for row in rows))
    ]
    cells = []
    for row in rows:
        made = [(column, cell(row[place], ascii_only=ascii_only)) for place, column in shown]
        cells.append([text[: column.short] if column.short else text for column, text in made])
    kept, is_whole = _fitting([each for _, each in shown], cells, width)
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
    for place in kept:
        column = shown[place][1]
        table.add_column(
            column.header,
            justify="right" if column.right else "left",
            overflow="fold",
            no_wrap=is_whole and column.keep is None,
        )
    for each in cells:
        table.add_row(*(each[place] for place in kept))
    return table


def _fitting(columns: Sequence[Column], cells: Sequence[Sequence[Text]], width: int) -> tuple[list[int], bool]:
    """The places of the columns that fit, and whether those that stay do so unfolded.

    Those with the lowest `keep` go first; before that, they are folded.
    """
    widths = []
    for place, column in enumerate(columns):
        header = cell_len(column.header)
        widest = max([header, *(cell_len(row[place].plain) for row in cells)])
        widths.append(widest if column.keep is None else min(widest, max(header, FOLDED)))
    kept = list(range(len(columns)))
    while sum(widths[place] + GAP for place in kept) - GAP > width:
        loose = [(keep, place) for place in kept if (keep := columns[place].keep) is not None]
        if not loose:
            return kept, False
        kept.remove(min(loose)[1])
    return kept, True


def draw_one(fields: Mapping[str, object], *, ascii_only: bool = False) -> Table:
    """The fields of one thing, one a line."""
    table = Table.grid(padding=(0, GAP, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields.items():
        table.add_row(clean(name.replace("_", " ")), _moments(value) or cell(value, ascii_only=ascii_only))
    return table


def _moments(value: object) -> Text | None:
    """A moment, or several below one another; None if it is none."""
    values = value if isinstance(value, list) else [value]
    moments = [each for each in values if isinstance(each, datetime)]
    return Text("\n".join(map(times.both, moments))) if moments and len(moments) == len(values) else None


class Moved(Progress):
    """Moves a bar of rich's on."""

    is_drawn = True

    def __init__(self, bar: Bar, task: object) -> None:
        self._bar = bar
        self._task = task

    def advance(self, count: int = 1) -> None:
        """So many more are done."""
        self._bar.advance(self._task, count)  # type: ignore[arg-type]

    def update(self, done: int | None = None, text: str | None = None, total: int | None = None) -> None:
        """So many are done; say something else beside the bar; so many are to be done."""
        said = None if text is None else clean(text)
        self._bar.update(self._task, completed=done, description=said, total=total)  # type: ignore[arg-type]


@contextmanager
def bar(console: Console, text: str, total: int | None) -> Iterator[Progress]:
    """A bar that is gone when it is done."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    # Not redirected: results that go into a pipe meanwhile would end up on the terminal.
    with Bar(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as drawn:
        yield Moved(drawn, drawn.add_task(text, total=total))
