"""How far a job says it is: the forms in which it may say so, and what is made of them.

Whatever else a job writes is passed over: it is no error of the job.
"""

import json
import re
from dataclasses import dataclass
from math import isfinite
from typing import Any

LONGEST_MESSAGE = 200
"""Characters; a longer message is cut."""
MOST = 2**63 - 1
"""Of what may be done, or in all."""

_PERCENT = re.compile(r"\s*(\d{1,3}(?:\.\d{0,20})?)\s*%?\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is; what it does not say is None, or an empty message.

    Attributes:
        percent: from 0 to 100.
        message: what it does, for people.
        done: how much of it is done, in whatever it counts.
        total: how much there is in all.
    """

    percent: float | None = None
    message: str = ""
    done: float | None = None
    total: float | None = None


def progress_of(said: Any) -> Progress | None:
    """What an object says; None if it says nothing, or what cannot be.

    >>> progress_of({"done": 17, "total": 40, "message": "reading"})
    Progress(percent=42.5, message='reading', done=17, total=40)
    >>> progress_of({"percent": float("nan")})
    """
    if not isinstance(said, dict):
        return None
    percent, done, total = (said.get(name) for name in ("percent", "done", "total"))
    message = said.get("message")
    if not (_is_amount(percent, 100) and _is_amount(done, MOST) and _is_amount(total, MOST)):
        return None
    if not isinstance(message, str | None) or (percent is done is total is None and not message):
        return None
    if percent is None and done is not None and total:
        percent = round(min(100.0, 100.0 * done / total), 2)
    return Progress(None if percent is None else float(percent), _line(message or ""), done, total)


def last_progress(data: bytes, *, is_cut: bool = False) -> Progress | None:
    """What the last line of a file says that says anything; one without an end counts if it is the only one.

    Args:
        data: the file's end.
        is_cut: whether there is more before it.

    >>> last_progress(b'10%\\n{"percent": 20}\\n3')
    Progress(percent=20.0, message='', done=None, total=None)
    >>> last_progress(b"42")
    Progress(percent=42.0, message='', done=None, total=None)
    """
    lines = data.split(b"\n")
    if is_cut:
        lines = lines[1:]
    if len(lines) > 1:
        lines = lines[:-1]
    return next((progress for line in reversed(lines) if (progress := _read(line)) is not None), None)


def _read(line: bytes) -> Progress | None:
    try:
        text = line.decode()
        if matched := _PERCENT.fullmatch(text):
            return progress_of({"percent": float(matched[1])})
        return progress_of(json.loads(text)) if "{" in text else None
    except (ValueError, RecursionError):  # no text, no JSON, or a number of very many digits
        return None


def _is_amount(value: Any, most: int) -> bool:
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return (isinstance(value, int) or isfinite(value)) and 0 <= value <= most


def _line(text: str) -> str:
    """One line that can be kept and shown, whatever it was."""
    whole = " ".join(text[: 10 * LONGEST_MESSAGE].split())
    shown = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in whole)
    return shown if len(shown) <= LONGEST_MESSAGE else f"{shown[: LONGEST_MESSAGE - 1]}…"
