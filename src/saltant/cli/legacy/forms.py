"""The printed forms of `saltant-cli`: lines of `key: value`, and a plain table under a header line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from unicodedata import combining, east_asian_width

import click

from saltant.cli.output import Column, Output
from saltant.cli.rows import clean

GAP = "  "


def print_one(output: Output, model: Any, names: Sequence[str], key: str) -> None:
    """Print one thing."""
    fields = {name: getattr(model, name) for name in names}
    if output.json or output.quiet:
        output.one(fields, ids=key)
        return
    for name, value in fields.items():
        click.echo(f"{name}: {clean(value)}")


def print_list(output: Output, models: Iterable[Any], listed: Sequence[str], detailed: Sequence[str], key: str) -> None:
    """Print many things. JSON tells all of each, as for one."""
    if output.json or output.quiet:
        rows = ([getattr(model, name) for name in detailed] for model in models)
        output.table([Column(name) for name in detailed], rows, ids=key)
        return
    cells = [[*listed], *([clean(getattr(model, name)) for name in listed] for model in models)]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (text + " " * (wide - width(text)) for text, wide in zip(row, widths, strict=True))
        click.echo(GAP.join(padded).rstrip())


def width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum((not combining(each)) * (2 if east_asian_width(each) in "WF" else 1) for each in text)
