"""What an instance starts after, as bodies say it and answers show it."""

from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers

from saltant.server.api.fields import JSONValue
from saltant.server.api.uuids import read_uuid
from saltant.server.tasks.models import Condition, TaskDependency
from saltant.server.tasks.services.after import MOST, After
from saltant.states import State

MOST_ITEMS = 10_000
"""Items of one request."""
CONDITIONS = [each.value for each in Condition]


class AfterField(JSONValue):
    """A list of what an instance starts after; in a form it is text of JSON."""

    default_error_messages = {
        "not_a_list": f"Give a list of UUIDs, or of objects of uuid and condition: {MOST} at most.",
        "not_one": "{value} is neither a UUID nor an object of uuid and condition.",
        "no_item": f"{{value}} names no item: they have indexes from 0 to {MOST_ITEMS - 1}.",
        "no_condition": f"The condition must be {' or '.join(CONDITIONS)}, not {{value}}.",
    }

    def __init__(self) -> None:
        help_text = (
            f"What it starts after, {MOST} at most: UUIDs of instances of either class, or objects of `uuid` and "
            "`condition` (`success`, the default, or `any`). In `many/` also items of the same request, by their "
            "indexes from 0: integers, or objects of `item` and `condition`."
        )
        super().__init__(required=False, write_only=True, help_text=help_text)

    def to_internal_value(self, data: Any) -> tuple[After, ...]:
        data = super().to_internal_value(data)
        if not isinstance(data, list) or len(data) > MOST:
            self.fail("not_a_list")
        found: dict[UUID | int, Condition] = {}
        for one in data:
            on, condition = self._read(one)
            # Of one that is named twice, both must hold.
            found[on] = condition if found.get(on, condition) is condition else Condition.SUCCESS
        return tuple(After(on, condition) for on, condition in found.items())

    def _read(self, data: Any) -> tuple[UUID | int, Condition]:
        if isinstance(data, dict):
            said = {"condition": Condition.SUCCESS.value, **data}
        else:
            said = {"condition": Condition.SUCCESS.value, "uuid" if isinstance(data, str) else "item": data}
        condition = said.pop("condition")
        if condition not in CONDITIONS:
            self.fail("no_condition", value=shown(condition))
        on = said.get("item", said.get("uuid"))
        if said.keys() == {"item"} and isinstance(on, int) and not isinstance(on, bool):
            if not 0 <= on < MOST_ITEMS:
                self.fail("no_item", value=shown(on))
            return on, Condition(condition)
        uuid = read_uuid(on) if said.keys() == {"uuid"} and isinstance(on, str) else None
        if uuid is None:
            self.fail("not_one", value=shown(data))
        return uuid, Condition(condition)


def shown(data: Any) -> str:
    """A value, as a message names it."""
    text = ascii(data)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _state(source: str) -> "serializers.ChoiceField":
    return serializers.ChoiceField([each.value for each in State], source=source, read_only=True)


class AfterSerializer(serializers.ModelSerializer[TaskDependency]):
    """An instance that another one starts after."""

    uuid = serializers.UUIDField(source="on.uuid", read_only=True)
    task_class = serializers.CharField(source="on.task_class", read_only=True)
    name = serializers.CharField(source="on.name", read_only=True)
    state = _state("on.state")

    class Meta:
        model = TaskDependency
        fields: ClassVar = ["uuid", "task_class", "name", "condition", "state"]
        read_only_fields: ClassVar = fields


class DependentSerializer(serializers.ModelSerializer[TaskDependency]):
    """An instance that starts after another one."""

    uuid = serializers.UUIDField(source="instance.uuid", read_only=True)
    task_class = serializers.CharField(source="instance.task_class", read_only=True)
    name = serializers.CharField(source="instance.name", read_only=True)
    state = _state("instance.state")

    class Meta(AfterSerializer.Meta):
        pass
