"""The limits of types and instances, as version 2 reads and shows them."""

import math
import re
from typing import Any

from rest_framework import serializers

from saltant.reasons import RetryOn
from saltant.server.tasks.models import LIMITS
from saltant.server.tasks.services.attempts import LONGEST_DELAY

LONGEST = 1e9
"""Seconds; more than 30 years. What is longer is no limit, and beyond what dates can say."""
MEBIBYTE = 2**20
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class Amount(serializers.FloatField):
    """A finite number: JSON's, or its digits. What float() takes beyond that (NaN, true, 1_0) is none.

    Args:
        above: it must be more than that.
    """

    default_error_messages = {"above": "Ensure this value is greater than {above:g}."}

    def __init__(self, *, above: float | None = None, **kwargs: Any) -> None:
        self.above = above
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> float:
        digits = isinstance(data, str) and len(data) < 100 and NUMBER.fullmatch(data)
        if isinstance(data, bool) or not (digits or isinstance(data, int | float)):
            self.fail("invalid")
        try:
            number = float(data)
        except OverflowError:
            # An integer of very many digits.
            number = math.copysign(math.inf, data > 0 or -1)
        if math.isnan(number):
            self.fail("invalid")
        if self.above is not None and not number > self.above:
            self.fail("above", above=self.above)
        return number


class LimitFields(serializers.Serializer[Any]):
    """What types and instances share. On an instance, what is given wins over its type's."""

    timeout = Amount(
        above=0,
        max_value=LONGEST,
        required=False,
        allow_null=True,
        help_text="Seconds that one attempt may take, from the start of its program. Null: no limit.",
    )
    queue_timeout = Amount(
        above=0,
        max_value=LONGEST,
        required=False,
        allow_null=True,
        help_text="Seconds that an instance may wait for the first worker to claim it. Null: what the server allows.",
    )
    max_attempts = serializers.IntegerField(
        min_value=1, max_value=100, required=False, help_text="How often it is started at most."
    )
    retry_on = serializers.ChoiceField(
        [each.value for each in RetryOn],
        required=False,
        help_text="After which ends another attempt is made: `lost` (its worker was lost, or stopped), or `failed` "
        "(those, and failures that another attempt might not repeat).",
    )
    retry_delay = Amount(
        min_value=0,
        max_value=LONGEST_DELAY,
        required=False,
        help_text="Seconds before the second attempt; twice as long before each one after it, "
        f"{LONGEST_DELAY:g} at most.",
    )
    memory = serializers.IntegerField(
        min_value=MEBIBYTE,
        max_value=2**63 - 1,
        required=False,
        allow_null=True,
        help_text="Bytes that all of its processes may have together. Null: no limit.",
    )
    cpus = Amount(
        min_value=0.01,
        max_value=1e6,
        required=False,
        allow_null=True,
        help_text="How many processors it may keep busy. Null: no limit.",
    )
    priority = serializers.IntegerField(
        min_value=0, max_value=9, required=False, help_text="How soon it runs among those that wait: 9 first, 0 last."
    )
    gpus = serializers.IntegerField(
        min_value=1,
        max_value=1000,
        required=False,
        allow_null=True,
        help_text="How many GPUs it gets for itself. Null: none.",
    )


def take_limits(values: dict[str, Any]) -> dict[str, Any]:
    """Take the limits out of what a request said."""
    return {name: values.pop(name) for name in LIMITS if name in values}
