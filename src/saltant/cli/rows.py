"""Rows of text, for people and for `cut`."""

import json
from collections.abc import Iterable, Mapping

import click

from saltant.logs import CONTROL

UNSEEN = CONTROL | {
    code: f"\\u{code:04x}" for code in [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
}
"""What steers a terminal, and what turns the direction of text, so that it reads as what it is not."""


def clean(value: object) -> str:
    """A value as text that can steer no terminal and look like no row of its own.

    >>> clean("a\\tb\\x1b[2J")
    'a\\\\tb\\\\x1b[2J'
    """
    return str(value).translate(UNSEEN)


def echo_row(*values: object) -> None:
    """Print values with tabs between them. No value can look like a row of its own."""
    click.echo("\t".join(map(clean, values)))


json_option = click.option("--json", "as_json", is_flag=True, help="A JSON list of objects.")


def echo_rows(rows: Iterable[Mapping[str, object]], as_json: bool) -> None:
    """Print things a row each, or all of them as JSON."""
    if as_json:
        click.echo(json.dumps(list(rows), indent=2))
        return
    for row in rows:
        echo_row(*row.values())
