"""The command of an instance, as its worker runs it."""

import json
from collections.abc import Sequence
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

from saltant.commands import words_of_arguments, words_of_command
from saltant.jobs import Kind

NEEDS = ("kind", "snapshot", "arguments")
"""The columns that it is made of, those of JSON as text."""
LONGEST = 10_000
"""Characters that a command has as JSON: longer ones are not told, as lists hold many."""
FILE = "arguments.json"
"""Stands for the file of the arguments, whose path its worker chooses."""


def command_of(needs: Sequence[Any]) -> str:
    """The words of a command, as JSON: null if it is too long, or cannot be split.

    Variables of the environment stand in it by their names: what they hold, its worker knows.
    """
    kind, snapshot, arguments = needs
    if len(snapshot) + len(arguments) > 2 * LONGEST:
        return "null"
    start, option = _start(kind, snapshot)
    if start is None:
        return "null"
    words = words_of_arguments(arguments, option, lambda text: FILE)
    told = f"[{','.join([*start, *map(encode_basestring, words)])}]"
    return told if len(told) <= LONGEST else "null"


@lru_cache(maxsize=500)
def _start(kind: str, snapshot: str) -> tuple[list[str] | None, str | None]:
    """The first words, each as JSON, and the option that a file of arguments follows. Many instances share theirs."""
    values = json.loads(snapshot)
    try:
        words = words_of_command(values["command_to_run"])
    except (KeyError, ValueError):
        return None, None
    option = values.get("json_file_option") if kind == Kind.EXECUTABLE else None
    return [encode_basestring(word) for word in words], option
