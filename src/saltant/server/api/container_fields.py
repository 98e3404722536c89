"""What version 2 lets people say of how a type's container is run."""

import re
from typing import Any

from rest_framework import serializers

from saltant.jobs import Network, PullPolicy
from saltant.server.api.fields import StrictString
from saltant.server.api.limits import MEBIBYTE

CONTAINER = ("pull_policy", "network", "container_user", "read_only_root", "shm_size")
"""The keys of container task types that version 1 does not have, in their order."""

NAME = r"(\d{1,10}|[A-Za-z_][A-Za-z0-9_.-]{0,31})"
USER = re.compile(rf"({NAME}(:{NAME})?)?", re.ASCII)
LARGEST_ID = 2**32 - 2
"""The largest number that a user or a group may have."""


def is_user(text: str) -> None:
    """Refuse what names no user of a container."""
    numbers = [int(part) for part in text.split(":") if part.isdigit()]
    if not USER.fullmatch(text) or any(number > LARGEST_ID for number in numbers):
        raise serializers.ValidationError(
            "A user is a name or a number, alone or with a group: 1000, 1000:100, nobody."
        )


class ContainerFields(serializers.Serializer[Any]):
    """How a container is made and run."""

    pull_policy = serializers.ChoiceField(
        [each.value for each in PullPolicy],
        required=False,
        help_text="When its image is pulled: `if_missing` on the worker's machine, `always` before a run, or `never`.",
    )
    network = serializers.ChoiceField(
        [each.value for each in Network],
        required=False,
        help_text="What it reaches: what its engine gives (`default`), nothing (`none`), or the `host`'s own network.",
    )
    container_user = StrictString(
        required=False,
        allow_blank=True,
        max_length=65,
        validators=[is_user],
        help_text="The user it runs as: a name in its image, `uid` or `uid:gid`. Empty: the image's own. Docker only.",
    )
    read_only_root = serializers.BooleanField(
        required=False, help_text="Whether it can write nowhere but to its logs, its results and its `/tmp`."
    )
    shm_size = serializers.IntegerField(
        min_value=MEBIBYTE,
        max_value=2**63 - 1,
        required=False,
        allow_null=True,
        help_text="Bytes of its `/dev/shm`. Null: the engine's own choice. Docker only.",
    )
