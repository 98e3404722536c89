"""What makes a revision another than one before, as pages show it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from saltant.server.web.type_entries import title_of

MOST_LINES = 400
"""Texts of more lines are shown whole, the old one and the new one."""


@dataclass(frozen=True)
class Line:
    """A line of a text: `mark` says whether it was taken away (-), added (+) or stayed (a space)."""

    mark: str
    text: str

    @property
    def word(self) -> str:
        """The mark, in a word."""
        return {"-": "before", "+": "after"}.get(self.mark, "")


@dataclass(frozen=True)
class Change:
    """What became of a field."""

    name: str
    title: str
    lines: Sequence[Line]


def changes_of(differences: Mapping[str, Sequence[Any]]) -> list[Change]:
    """Fields with their lines, old and new."""
    return [Change(name, title_of(name), lines_of(*pair)) for name, pair in differences.items()]


def lines_of(old: Any, new: Any) -> list[Line]:
    """The lines of two values, one beside the other.

    >>> [(each.mark, each.text) for each in lines_of(["a", "b"], ["a", "c"])]
    [(' ', 'a'), ('-', 'b'), ('+', 'c')]
    """
    before, after = text_of(old), text_of(new)
    if len(before) + len(after) > MOST_LINES:
        return [*(Line("-", each) for each in before), *(Line("+", each) for each in after)]
    found = []
    for tag, start, end, other_start, other_end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            found += [Line(" ", each) for each in before[start:end]]
            continue
        found += [Line("-", each) for each in before[start:end]]
        found += [Line("+", each) for each in after[other_start:other_end]]
    return found


def text_of(value: Any) -> list[str]:
    """The lines of a value: of a text its own, of a list of texts one each, of all else those of its JSON."""
    if value in (None, "", [], {}):
        return ["(empty)"] if value is not None else ["(none)"]
    if isinstance(value, float):
        return [f"{value:.15g}"]
    if isinstance(value, str):
        return value.splitlines() or [""]
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return value
    return json.dumps(value, indent=2, ensure_ascii=False).splitlines()
