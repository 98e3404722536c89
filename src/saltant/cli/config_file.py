"""Changing the configuration file: atomically, for its owner alone, and with what else it holds, comments included."""

from __future__ import annotations

import copy
import fcntl
import json
import os
import re
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from saltant._config import read
from saltant.exceptions import BadConfigError

Change = Mapping[str, str | None]
"""Keys and their values; None takes a key away."""


def change(path: Path, profile: str | None = None, values: Change | None = None, default: str | None = None) -> None:
    """Set or take away keys of a profile, and set the default.

    Raises:
        BadConfigError: the file makes no sense, or cannot be written.
    """
    try:
        path = path.resolve()  # what a symbolic link names is replaced, not the link
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(path.parent):
            read(path)  # refuses what makes no sense
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            _write(path, edited(text, profile, values or {}, default))
    except OSError as error:
        raise BadConfigError(f"The configuration file {path} cannot be written: {error.strerror}.") from None


def edited(text: str, profile: str | None, values: Change, default: str | None) -> str:
    """The text with the changes. Where it is written in an unusual way, it is written anew, without comments.

    >>> print(edited("# ours\\n[profiles.a]\\nurl = 'x' # old\\n", "a", {"url": "y", "token": "t"}, "a"), end="")
    default = "a"
    # ours
    [profiles.a]
    url = "y"
    token = "t"
    """
    wanted = _wanted(tomllib.loads(text), profile, values, default)
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    if profile is not None:
        _edit_profile(lines, profile, values)
    if default is not None:
        _edit_default(lines, default)
    made = "".join(lines)
    with suppress(tomllib.TOMLDecodeError):
        if tomllib.loads(made) == wanted:
            return made
    import tomli_w

    return tomli_w.dumps(wanted)


def _wanted(data: dict[str, Any], profile: str | None, values: Change, default: str | None) -> dict[str, Any]:
    wanted = copy.deepcopy(data)
    if profile is not None:
        table = wanted.setdefault("profiles", {}).setdefault(profile, {})
        for key, value in values.items():
            if value is None:
                table.pop(key, None)
            else:
                table[key] = value
    if default is not None:
        wanted["default"] = default
    return wanted


def _edit_profile(lines: list[str], profile: str, values: Change) -> None:
    spellings = "|".join(re.escape(each) for each in (profile, _quoted(profile), f"'{profile}'"))
    header = re.compile(rf"\s*\[\s*profiles\s*\.\s*({spellings})\s*\]\s*(#.*)?$")
    start = next((place for place, line in enumerate(lines) if header.match(line)), None)
    if start is None:
        name = profile if re.fullmatch(r"[A-Za-z0-9_-]+", profile) else _quoted(profile)
        lines += [*(["\n"] if lines else []), f"[profiles.{name}]\n"]
        start = len(lines) - 1
    for key, value in values.items():
        end = next(
            (place for place in range(start + 1, len(lines)) if lines[place].lstrip().startswith("[")), len(lines)
        )
        found = next((at for at in range(start + 1, end) if re.match(rf"\s*{key}\s*=", lines[at])), None)
        line = [] if value is None else [f"{key} = {_quoted(value)}\n"]
        if found is not None:
            lines[found : found + 1] = line
            continue
        # After the last key, not after the empty lines and the comments that belong to what follows.
        last = max((at for at in range(start + 1, end) if re.match(r"\s*[^#\s]", lines[at])), default=start)
        lines[last + 1 : last + 1] = line


def _edit_default(lines: list[str], default: str) -> None:
    end = next((place for place, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    found = next((place for place in range(end) if re.match(r"\s*default\s*=", lines[place])), None)
    line = f"default = {_quoted(default)}\n"
    if found is None:
        lines.insert(0, line)
    else:
        lines[found] = line


def _quoted(text: str) -> str:
    """A string as TOML has it, which is as JSON has it, but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _write(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Two who sign in at once lose nothing."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
