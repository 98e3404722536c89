"""Writing descriptions, whole or as differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import unified_diff
from typing import Any

import yaml

from saltant.cli.described.fields import SECTIONS


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and repeats what stands there twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value.strip("\n") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def to_yaml(data: object) -> str:
    """YAML as people write it."""
    written: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    return written


def unusual(section: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """What of a thing is not as it would be by default."""
    keys = SECTIONS[section].keys
    return {
        key: value
        for key, value in said.items()
        if not keys[key].same(value, keys[key].default) or (keys[key].needed and not keys[key].refers)
    }


def difference(
    section: str, name: str, old: Mapping[str, Any] | None, new: Mapping[str, Any], file: str
) -> Iterable[str]:
    """The lines of a unified diff: of what the server has, to what the file says."""
    path = f"{section}/{name}"
    before = [] if old is None else to_yaml({section: {name: dict(old)}}).splitlines()
    after = to_yaml({section: {name: dict(new)}}).splitlines()
    came_from = "/dev/null" if old is None else f"server/{path}"
    return unified_diff(before, after, came_from, f"{file}/{path}", lineterm="", n=3)
