"""What revisions add to the bodies of other things."""

from typing import Any

from rest_framework import serializers

from saltant.server.api.fields import JSONValue

LARGEST = 2**31 - 1
MOST = 10_000
"""Types that one request pins."""


class NumberField(serializers.IntegerField):
    """The number of a revision."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=LARGEST, **kwargs)


class CommandField(serializers.Field[Any, Any, Any, Any]):
    """The words of an instance's command. They are made when it is read."""

    def __init__(self) -> None:
        help_text = (
            "The words that its program is started with. Variables stand in them by their names, and `arguments.json` "
            "for the file that a `json_file_option` names. Null: they are more than 10,000 characters, or none."
        )
        super().__init__(source="pk", read_only=True, allow_null=True, help_text=help_text)


class PinsField(JSONValue):
    """Revisions by the ids of their types; null unpins."""

    default_error_messages = {
        "no_pins": 'Give an object of ids of types and numbers of revisions, or null to unpin: {{"7": 3, "8": null}}.'
    }

    def __init__(self, help_text: str) -> None:
        super().__init__(required=False, help_text=help_text)

    def to_internal_value(self, data: Any) -> dict[int, int | None]:
        said = super().to_internal_value(data)
        if not isinstance(said, dict) or len(said) > MOST:
            self.fail("no_pins")
        found: dict[int, int | None] = {}
        for name, number in said.items():
            is_id = name.isascii() and name.isdigit() and len(name) < 20 and 0 < int(name) < 2**63
            is_number = number is None or (type(number) is int and 0 < number <= LARGEST)
            if not (is_id and is_number):
                self.fail("no_pins")
            found[int(name)] = number
        return found
