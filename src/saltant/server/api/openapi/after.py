"""What the document says of what an instance starts after."""

from typing import Any

from saltant.server.api.after import CONDITIONS, MOST_ITEMS
from saltant.server.tasks.services.after import MOST

Json = dict[str, Any]
CONDITION: Json = {"type": "string", "enum": CONDITIONS}
KINDS: dict[str, Json] = {
    "uuid": {"type": "string", "format": "uuid"},
    "item": {"type": "integer", "minimum": 0, "maximum": MOST_ITEMS - 1},
}


def schema() -> Json:
    """The list of a body."""
    objects = [
        {
            "type": "object",
            "properties": {key: each, "condition": CONDITION},
            "required": [key],
            "additionalProperties": False,
        }
        for key, each in KINDS.items()
    ]
    return {"type": "array", "items": {"anyOf": [*KINDS.values(), *objects]}, "maxItems": MOST}
