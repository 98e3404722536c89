r"""Python's regular expressions in PostgreSQL's dialect, so that a pattern finds the same on every database.

As they are, many would fail, and some would quietly mean something else: `\b` is a backspace there, and `$` knows
nothing of a last newline. What letters, digits and capitals are, PostgreSQL's locale says.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

MAX_REPEATS = 255
"""As often as PostgreSQL repeats."""

CATEGORIES = {
    sre.CATEGORY_DIGIT: (r"\d", r"0-9"),
    sre.CATEGORY_SPACE: (r"\s", r" \t\n\r\f\v"),
    sre.CATEGORY_WORD: (r"\w", r"a-zA-Z0-9_"),
}
OTHERS = {
    sre.CATEGORY_NOT_DIGIT: sre.CATEGORY_DIGIT,
    sre.CATEGORY_NOT_SPACE: sre.CATEGORY_SPACE,
    sre.CATEGORY_NOT_WORD: sre.CATEGORY_WORD,
}
PLACES = {sre.AT_BEGINNING_STRING: r"\A", sre.AT_END_STRING: r"\Z"}
PLACES |= {sre.AT_BOUNDARY: r"\y", sre.AT_NON_BOUNDARY: r"\Y"}
LINES = {sre.AT_BEGINNING: r"(?:\A|(?<=\n))", sre.AT_END: r"(?=\n|\Z)"}
TEXTS = {sre.AT_BEGINNING: r"\A", sre.AT_END: r"(?=\n?\Z)"}
LOOKS = {(sre.ASSERT, 1): "?=", (sre.ASSERT, -1): "?<=", (sre.ASSERT_NOT, 1): "?!", (sre.ASSERT_NOT, -1): "?<!"}


@lru_cache(maxsize=64)
def postgresql(pattern: str) -> str:
    r"""The pattern in PostgreSQL's dialect.

    >>> postgresql(r"\bx.$")
    '***:\\yx[^\\u000a](?=\\n?\\Z)'

    Raises:
        ValueError: it holds what PostgreSQL has nothing for.
    """
    parsed = _parser.parse(pattern)
    flags = parsed.state.flags
    translator = _Translator(ignores_case=bool(flags & re.IGNORECASE), captures=_refers(parsed))
    return "***:" + ("(?i)" if translator.ignores_case else "") + translator.sequence(parsed, flags)


def _refers(parsed: Any) -> bool:
    """Whether a pattern refers to what one of its groups found: the others need not remember."""
    if isinstance(parsed, _parser.SubPattern | tuple | list):
        return any(part is sre.GROUPREF or _refers(part) for part in parsed)
    return False


class _Translator:
    def __init__(self, *, ignores_case: bool, captures: bool) -> None:
        self.ignores_case = ignores_case
        self.captures = captures

    def sequence(self, parsed: Iterable[Any], flags: int) -> str:
        return "".join(self.element(kind, value, flags) for kind, value in parsed)

    def element(self, kind: Any, value: Any, flags: int) -> str:
        if kind is sre.LITERAL:
            return _character(value)
        if kind is sre.NOT_LITERAL:
            return f"[^{_character(value)}]"
        if kind is sre.ANY:
            return "." if flags & re.DOTALL else r"[^\u000a]"
        if kind is sre.IN:
            return _choice(value, flags)
        if kind is sre.BRANCH:
            return f"(?:{'|'.join(self.sequence(part, flags) for part in value[1])})"
        if kind is sre.SUBPATTERN:
            number, add, remove, parsed = value
            return self.group(number, (flags | add) & ~remove, parsed)
        if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            least, most, parsed = value
            return self.repeat(least, most, parsed, flags)
        if kind is sre.AT:
            return PLACES.get(value) or (LINES if flags & re.MULTILINE else TEXTS)[value]
        if kind in (sre.ASSERT, sre.ASSERT_NOT) and not self.captures:
            return f"({LOOKS[kind, value[0]]}{self.sequence(value[1], flags)})"
        if kind is sre.GROUPREF:
            return rf"(?:\{value})"
        raise ValueError("PostgreSQL, which searches here, has nothing like one of its parts")

    def group(self, number: int | None, flags: int, parsed: Any) -> str:
        if bool(flags & re.IGNORECASE) != self.ignores_case:
            raise ValueError("PostgreSQL, which searches here, ignores case everywhere or nowhere")
        return f"({'' if number and self.captures else '?:'}{self.sequence(parsed, flags)})"

    def repeat(self, least: int, most: Any, parsed: Any, flags: int) -> str:
        repeated = f"(?:{self.sequence(parsed, flags)})"
        if most is sre.MAXREPEAT and least <= MAX_REPEATS:
            return f"{repeated}{{{least},}}"
        if most is not sre.MAXREPEAT and most <= MAX_REPEATS:
            return f"{repeated}{{{least},{most}}}"
        if self.captures:
            raise ValueError(f"PostgreSQL, which searches here, repeats a group {MAX_REPEATS} times at most")
        more = f"{repeated}*" if most is sre.MAXREPEAT else _times(repeated, most - least, "0,")
        return _times(repeated, least, "") + more


def _times(repeated: str, times: int, least: str) -> str:
    """`repeated` so often (up to so often with a `least` of "0,"), however many that is."""
    many, rest = divmod(times, MAX_REPEATS)
    return f"(?:{repeated}{{{least}{MAX_REPEATS}}}){{{least}{many}}}{repeated}{{{least}{rest}}}"


def _character(code: int) -> str:
    character = chr(code)
    if character.isascii() and not character.isalnum():
        return f"\\u{code:04x}"
    return character


def _choice(parts: list[Any], flags: int) -> str:
    """A choice of characters. PostgreSQL before 14 takes no complement, such as `\\W`, within another choice."""
    negated = parts[0][0] is sre.NEGATE
    others = [f"[^{_part(sre.CATEGORY, OTHERS[part[1]], flags)}]" for part in parts if _is_complement(*part)]
    plain = [part for part in parts if part[0] is not sre.NEGATE and not _is_complement(*part)]
    within = "".join(_part(kind, value, flags) for kind, value in plain)
    if negated:
        return "".join(f"(?!{other})" for other in others) + (f"[^{within}]" if within else ".")
    return f"(?:{'|'.join([*others, *([f'[{within}]'] if within else [])])})" if others else f"[{within}]"


def _is_complement(kind: Any, value: Any) -> bool:
    return kind is sre.CATEGORY and value in OTHERS


def _part(kind: Any, value: Any, flags: int) -> str:
    if kind is sre.RANGE:
        return "-".join(map(_character, value))
    if kind is sre.CATEGORY:
        return CATEGORIES[value][1 if flags & re.ASCII else 0]
    return _character(value)
