"""Reading a description: every mistake with its line, all of them at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import yaml

from saltant.cli.described.fields import SECTIONS, Section, Wrong
from saltant.cli.failures import USAGE, Failure

MOST_TOLD = 10
"""How many mistakes are told at once."""


@dataclass(frozen=True)
class Thing:
    """A thing that a file describes.

    Attributes:
        section: the name of its section.
        said: keys and their values.
        lines: the line of each key; that of its name under "".
    """

    section: str
    name: str
    said: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)


def read_description(text: str, name: str) -> list[Thing]:
    """The things that the text of a file describes, in the order in which they are made.

    Args:
        name: what to call the file.

    Raises:
        Failure: it is no YAML, or says something that cannot be.
    """
    reader = _Reader(name)
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            things = reader.things(loader, node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        said = " ".join(part for part in (error.context, error.problem) if part)
        raise Failure(f"{name}{line}: this is no YAML: {said}.", USAGE) from None
    except yaml.YAMLError as error:
        raise Failure(f"{name}: this is no YAML: {' '.join(str(error).split())}.", USAGE) from None
    except RecursionError:
        raise Failure(f"{name}: something in it holds itself, or it is too deep.", USAGE) from None
    if reader.mistakes:
        told = [f"{name}:{line}: {said}" for line, said in sorted(reader.mistakes)]
        more = f"\n({len(told) - MOST_TOLD} more mistakes)" if len(told) > MOST_TOLD else ""
        raise Mistakes("\n".join(told[:MOST_TOLD]) + more)
    return things


class Mistakes(Failure):
    """What is wrong in a file, a line each."""

    def __init__(self, message: str) -> None:
        super().__init__(message, USAGE)


class _Reader:
    def __init__(self, name: str) -> None:
        self.name = name
        self.mistakes: list[tuple[int, str]] = []

    def things(self, loader: yaml.SafeLoader, node: yaml.Node | None) -> list[Thing]:
        if node is None:
            return []
        sections = self.mapping(loader, node, f"The file must have sections: {', '.join(SECTIONS)}")
        found: dict[str, list[Thing]] = {name: [] for name in SECTIONS}
        for name, (line, value) in sections.items():
            section = SECTIONS.get(name)
            if section is None:
                self.unknown(line, "section", name, SECTIONS)
                continue
            if _is_null(value):
                continue
            for each, (at, keys) in self.mapping(loader, value, f"{name} must hold names").items():
                found[name].append(self.thing(loader, section, name, each, at, keys))
        return [thing for things in found.values() for thing in things]

    def thing(
        self, loader: yaml.SafeLoader, section: Section, kind: str, name: str, line: int, node: yaml.Node
    ) -> Thing:
        thing = Thing(kind, name, lines={"": line})
        if not name:
            self.mistakes.append((line, f"This {section.thing} has an empty name."))
        if _is_null(node):
            return thing
        for key, (at, value) in self.mapping(loader, node, f"{section.thing} {name!r} must have keys").items():
            known = section.keys.get(key)
            if known is None:
                self.unknown(at, "key", key, section.keys, f" of {_a(section.thing)}")
                continue
            try:
                thing.said[key] = known.check(loader.construct_document(value))
                thing.lines[key] = at
            except Wrong as error:
                self.mistakes.append((at, f"{key} of {section.thing} {name!r} {error}."))
            except (ValueError, OverflowError):  # a date that is none, a number of too many digits
                self.mistakes.append((at, f"{key} of {section.thing} {name!r} is a date or a number that is none."))
        both = [key for key in section.one_of if key in thing.said]
        if len(both) > 1:
            self.mistakes.append((thing.lines[both[-1]], f"{section.thing} {name!r} has both {' and '.join(both)}."))
        return thing

    def mapping(self, loader: yaml.SafeLoader, node: yaml.Node, wanted: str) -> dict[str, tuple[int, yaml.Node]]:
        """Keys as they are written (`no` is a name, too), each with its line and its value."""
        line = node.start_mark.line + 1
        if not isinstance(node, yaml.MappingNode):
            self.mistakes.append((line, f"{wanted}."))
            return {}
        loader.flatten_mapping(node)
        found: dict[str, tuple[int, yaml.Node]] = {}
        for key, value in node.value:
            at = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self.mistakes.append((at, "A key must be a word."))
            elif key.value in found and line <= at and key.value in _written_twice(node):
                self.mistakes.append((at, f"{key.value!r} is there twice."))
            else:
                found[key.value] = (at, value)
        return found

    def unknown(self, line: int, what: str, name: str, known: Mapping[str, object], of: str = "") -> None:
        near = get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(known)}."
        self.mistakes.append((line, f"{name!r} is no {what}{of}. {hint}"))


def _written_twice(node: yaml.MappingNode) -> set[str]:
    """Keys of a mapping that stand in it twice; what is merged into it may be overridden."""
    own: list[str] = [
        key.value
        for key, _ in node.value
        if isinstance(key, yaml.ScalarNode) and node.start_mark.index <= key.start_mark.index < node.end_mark.index
    ]
    return {name for name in own if own.count(name) > 1}


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _a(thing: str) -> str:
    return f"{'an' if thing[0] in 'aeiou' else 'a'} {thing}"
