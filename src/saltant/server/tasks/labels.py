"""What labels may be."""

import re
from typing import Any

from saltant.server.tasks.arguments import text_flaw

MOST = 64
"""Labels of one instance."""
LONGEST_KEY = 63
LONGEST_VALUE = 200
KEY_PATTERN = r"^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$"
KEY = re.compile(KEY_PATTERN.removesuffix("$") + r"\Z", re.ASCII)
KEY_RULE = (
    f"a key is 1 to {LONGEST_KEY} letters, digits, dots, hyphens, underscores or slashes, "
    "and begins and ends with a letter or a digit"
)


def flaw(labels: dict[Any, Any]) -> str | None:
    """What is wrong with labels: a sentence, or None."""
    if len(labels) > MOST:
        return f"An instance has {MOST} labels at most, not {len(labels)}."
    for key, value in labels.items():
        if not KEY.match(key):
            return f"{key!a:.80} is no key of a label: {KEY_RULE}."
        if not isinstance(value, str):
            return f"The value of the label {key} must be a text."
        if len(value) > LONGEST_VALUE:
            return f"The value of the label {key} has more than {LONGEST_VALUE} characters."
        wrong = text_flaw(value)
        if wrong:
            return f"The value of the label {key} may not hold {wrong}."
    return None
