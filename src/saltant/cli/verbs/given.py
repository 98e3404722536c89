"""UUIDs as commands are given them: whole, as beginnings, or on stdin."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from saltant.cli import resolve
from saltant.cli.verbs.arguments import decoded

if TYPE_CHECKING:
    from saltant.client import Client

LENGTH = 36


def full_uuids(client: Client, given: Sequence[str]) -> list[str]:
    """Whole UUIDs, each once; only of beginnings is it known whether there is such an instance.

    Raises:
        Failure: One is none, or is the beginning of none or of several.
    """
    found: dict[str, None] = {}
    for text in _words(given):
        prefix = resolve.uuid_prefix(text)
        found[prefix if len(prefix) == LENGTH else resolve.instance(client, text).uuid] = None
    return list(found)


def _words(given: Sequence[str]) -> list[str]:
    words = []
    for each in given:
        if each == "-":
            words += decoded(sys.stdin.buffer.read(), "stdin").split()
        else:
            words.append(each)
    if not words:
        raise click.UsageError("There is no UUID on stdin.")
    return words
