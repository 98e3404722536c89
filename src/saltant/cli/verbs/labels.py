"""The option --label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

giving = click.option(
    "--label", "labels", metavar="KEY=VALUE", multiple=True, help="A label to give it; may be given more than once."
)
finding = click.option(
    "--label",
    "labels",
    metavar="KEY[=VALUE]",
    multiple=True,
    help="Those that have this label; if given more than once, all of them.",
)


def given(texts: Sequence[str]) -> dict[str, Any]:
    """The argument `labels` of `create`, if there are any."""
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise click.UsageError(f"{text!r} is no label: write --label KEY=VALUE.")
        if key in found:
            raise click.UsageError(f"The label {key} is given twice.")
        found[key] = value
    return {"labels": found} if found else {}
