"""Rows of text, for people and for `cut`."""

import click

from saltant.logs import CONTROL


def echo_row(*values: object) -> None:
    """Print values with tabs between them. No value can look like a row of its own."""
    click.echo("\t".join(str(value).translate(CONTROL) for value in values))
