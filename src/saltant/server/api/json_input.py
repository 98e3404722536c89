"""Reading JSON: what Python's `json` lets through and no database or client could carry is refused."""

import json
import math
from collections.abc import Iterable
from typing import Any, NoReturn

MAX_DEPTH = 100
"""How deeply lists and objects may be nested. Python's own limit depends on where the parser is called from."""


class InvalidJSON(ValueError):
    """A text is no JSON that we take. The message says why."""


def loads(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        InvalidJSON: the text is no JSON, or holds NaN, an infinite number, one with too many digits, or deep nesting.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_parse_float)
    except RecursionError:
        raise InvalidJSON(f"more than {MAX_DEPTH} levels of nesting") from None
    except InvalidJSON:
        raise
    except ValueError as error:
        # Also integers of more digits than Python converts.
        raise InvalidJSON(str(error)) from None
    # Most texts hold too few brackets to be deep: only the others are walked through.
    if text.count("[") + text.count("{") > MAX_DEPTH and _is_deep(value):
        raise InvalidJSON(f"more than {MAX_DEPTH} levels of nesting")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidJSON(f"{name} is not JSON")


def _parse_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise InvalidJSON(f"{text[:40]} is too large a number")
    return number


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [child for item in level for child in _children(item) if isinstance(child, (dict, list))]
        if not level:
            return False
    return True


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
