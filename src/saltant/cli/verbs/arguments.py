"""The arguments of a task instance, as a command line or a file gives them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from saltant.models.base_task_type import BaseTaskType

WORD_LIMIT = 120 * 1024
"""Bytes of JSON that a server takes as one word of a command line."""


def read_arguments(pairs: Sequence[str], text: str | None) -> dict[str, Any]:
    """The arguments that `key=value`, `key:=json` and --args give; single ones win.

    Raises:
        click.UsageError: They make no sense.
    """
    arguments = {} if text is None else _read_object(text)
    for pair in pairs:
        key, value = _read_pair(pair)
        arguments[key] = value
    return arguments


def _read_pair(pair: str) -> tuple[str, Any]:
    key, equals, text = pair.partition("=")
    if not equals or not key.removesuffix(":"):
        raise click.UsageError(f"{pair!r} is no argument: write key=value, or key:=JSON.")
    if key.endswith(":"):
        return key[:-1], parse_json(text, f"the value of {key[:-1]}")
    try:
        return key, parse_json(text, key)
    except click.UsageError:
        return key, text


def parse_json(text: str, what: str) -> Any:
    """The value of a JSON text.

    Raises:
        click.UsageError: It is none.
    """

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is no JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise click.UsageError(f"{what} is no JSON: {error.msg}, at character {error.pos + 1}.") from None
    except (ValueError, RecursionError) as error:
        raise click.UsageError(f"{what} cannot be used: {error}.") from None


def _read_object(text: str) -> dict[str, Any]:
    what = "What --args gives"
    if text == "-":
        text = decoded(sys.stdin.buffer.read(), what)
    elif text.startswith("@"):
        path = Path(text[1:])
        try:
            text = decoded(path.read_bytes(), what)
        except OSError as error:
            raise click.UsageError(f"{path} cannot be read: {error.strerror}.") from None
    value = parse_json(text, what)
    if not isinstance(value, dict):
        raise click.UsageError(f'{what} is no JSON object, such as {{"seed": 1}}.')
    return value


def decoded(data: bytes, what: str) -> str:
    """Bytes as text.

    Raises:
        click.UsageError: They are no UTF-8.
    """
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise click.UsageError(f"{what} is not text in UTF-8.") from None


def flaw(arguments: object, task_type: BaseTaskType) -> str | None:
    """Why a server would refuse these arguments for a type, in words; None if it would not.

    Said before anything is sent, where many are sent: the server's word is the last one.
    """
    if not isinstance(arguments, dict):
        return "it is no JSON object"
    defaults = task_type.required_arguments_default_values
    missing = [name for name in task_type.required_arguments if name not in arguments and name not in defaults]
    if missing:
        return f"it lacks {', '.join(missing)}"
    size = len(json.dumps(defaults | arguments))
    if size > WORD_LIMIT and not getattr(task_type, "json_file_option", None):
        return f"it takes {size} bytes, more than the {WORD_LIMIT} that fit into one word"
    return None
