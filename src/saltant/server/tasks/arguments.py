"""The rules of arguments: what is filled in, and what could never run."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

WORD_LIMIT = 120 * 1024
"""The largest JSON text that is passed as one word of a command line, in bytes. The kernel's own limit is 128 KiB."""


class Refused(Exception):
    """A request breaks a rule. `errors` maps a field, or `non_field_errors`, to sentences for people."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__(errors)
        self.errors = errors


def complete(given: Any, required: Sequence[str], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """`given` with the defaults of required arguments filled in.

    Raises:
        Refused: `given` is no JSON object, or lacks a required argument that has no default.
    """
    if not isinstance(given, dict):
        raise Refused({"non_field_errors": [f"arguments must be a JSON object, not {json_kind(given)}."]})
    missing = [name for name in required if name not in given and name not in defaults]
    if missing:
        names = ", ".join(repr(name) for name in missing)
        raise Refused({"non_field_errors": [f"Required arguments are missing: {names}."]})
    return given | {name: defaults[name] for name in required if name not in given}


def check_runnable(arguments: dict[str, Any], *, as_word: bool) -> None:
    """Refuse what no command line could carry.

    Raises:
        Refused: a text holds NUL or a lone surrogate, or the JSON text is too long for one word.
    """
    flaw = text_flaw(arguments)
    if flaw:
        raise Refused({"arguments": [f"Arguments may not hold {flaw}."]})
    size = len(json.dumps(arguments))
    if as_word and size > WORD_LIMIT:
        raise Refused(
            {
                "arguments": [
                    f"Arguments take {size} bytes as JSON, more than the {WORD_LIMIT} that fit into one word of a "
                    "command line. Give the task type a json_file_option to pass them as a file."
                ]
            }
        )


def text_flaw(value: Any) -> str | None:
    """What makes a JSON value unfit for a program or a database: said in words, or None."""
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            if "\0" in item:
                return "NUL characters"
            if any("\ud800" <= char <= "\udfff" for char in item):
                return "lone surrogates"
        elif isinstance(item, dict):
            todo += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            todo += item
    return None


def json_kind(value: Any) -> str:
    """What JSON calls a value of this kind."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a Boolean", type(None): "null"}
    return names.get(type(value), "a number")
