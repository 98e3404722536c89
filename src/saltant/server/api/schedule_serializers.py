"""What requests and answers say of schedules."""

import copy
from typing import Any, ClassVar

from rest_framework import serializers

from saltant.server.api.fields import IdField, JSONObject, LabelsField
from saltant.server.api.limits import LimitFields
from saltant.server.api.serializers import OwnerField
from saltant.server.tasks import services
from saltant.server.tasks.cron import BadCron, UnknownZone
from saltant.server.tasks.models import LIMITS, TaskClass, TaskQueue, TaskType
from saltant.server.tasks.schedule_models import Schedule

TIMES = ("cron", "timezone", "active")
"""What decides when it runs."""
RUNS = ("task_type", "task_queue", "arguments")
"""What decides whether it can run. Limits, labels and names are looked at by themselves."""


class LimitsField(JSONObject):
    """Limits that win over those of the type: an object of them."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        given = super().to_internal_value(data)
        unknown = [name for name in given if name not in LIMITS]
        if unknown:
            raise serializers.ValidationError(f"{unknown[0]!r:.100} is no limit: the limits are {', '.join(LIMITS)}.")
        limits = LimitFields(data=given, partial=True)
        if not limits.is_valid():
            raise serializers.ValidationError(
                [f"{name}: {sentence}" for name, sentences in limits.errors.items() for sentence in sentences]
            )
        return {name: limits.validated_data[name] for name in given}


class ScheduleSerializer(serializers.ModelSerializer[Schedule]):
    user = OwnerField()
    task_class = serializers.ChoiceField(
        TaskClass.values, source="task_type.task_class", read_only=True, help_text="The class of its type."
    )
    task_type = IdField(queryset=TaskType.objects.all(), help_text="The id of a type, of either class.")
    task_queue = IdField(queryset=TaskQueue.objects.all())
    arguments = JSONObject(required=False)
    labels = LabelsField(required=False, help_text="The labels of its instances: texts by their keys.")
    limits = LimitsField(required=False, help_text="Limits of its instances that win over those of the type.")
    last_instance = serializers.UUIDField(
        source="last_instance.uuid", read_only=True, allow_null=True, help_text="The last instance that it made."
    )

    class Meta:
        model = Schedule
        fields: ClassVar = [
            "id",
            "user",
            "name",
            "description",
            "datetime_created",
            "task_class",
            "task_type",
            "task_queue",
            "arguments",
            "instance_name",
            "labels",
            "limits",
            "cron",
            "timezone",
            "overlap",
            "active",
            "next_time",
            "last_time",
            "last_instance",
            "waiting_since",
            "message",
        ]
        read_only_fields: ClassVar = ["next_time", "last_time", "waiting_since", "message"]
        extra_kwargs: ClassVar[dict[str, Any]] = {
            "instance_name": {"help_text": "The name of its instances."},
            "cron": {"help_text": "Minute, hour, day of month, month and day of week, as for cron: `30 2 * * 1-5`."},
            "timezone": {"help_text": "The time zone of `cron`, such as Europe/Berlin."},
            "overlap": {
                "help_text": "What happens when its time comes while an instance of it has not ended: `skip` makes "
                "none, `allow` one more, `replace` first terminates the one that runs, `wait` waits until it has ended."
            },
            "active": {"help_text": "Whether it runs by the clock."},
            "next_time": {"help_text": "When it runs next. Null: it is not active."},
            "last_time": {"help_text": "The last time that came, whatever became of it."},
            "waiting_since": {"help_text": "The time whose instance waits until another one has ended."},
            "message": {"help_text": "Why its last time made no instance, or what else there is to say of it."},
        }

    def validate_cron(self, text: str) -> str:
        """The same with single spaces."""
        return " ".join(text.split())

    def validate_task_type(self, pk: int) -> TaskType:
        """The type."""
        return self._row("task_type", pk)  # type: ignore[no-any-return]

    def validate_task_queue(self, pk: int) -> TaskQueue:
        """The queue. Whether the owner may use it is asked with all the rest."""
        return self._row("task_queue", pk)  # type: ignore[no-any-return]

    def _row(self, name: str, pk: int) -> Any:
        field: Any = self.fields[name]
        row = field.rows().filter(pk=pk).first() if 0 < pk < 2**63 else None
        if row is None:
            field.fail("does_not_exist", pk_value=pk)
        return row

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        made = Schedule(user=self.context.get("user")) if self.instance is None else copy.copy(self.instance)
        changed = self._set(made, attrs)
        try:
            if changed.intersection(TIMES):
                services.plan(made)
            if changed.intersection(RUNS) and made.user is not None:
                services.check_schedule(made)
        except UnknownZone as error:
            raise serializers.ValidationError({"timezone": [str(error)]}) from None
        except BadCron as error:
            raise serializers.ValidationError({"cron": [str(error)]}) from None
        except services.Refused as refused:
            raise serializers.ValidationError(refused.errors) from None
        return attrs

    def create(self, validated_data: dict[str, Any]) -> Schedule:
        schedule = Schedule(**validated_data)
        services.plan(schedule)
        schedule.save(force_insert=True)
        return schedule

    def update(self, instance: Schedule, validated_data: dict[str, Any]) -> Schedule:
        # A time that is due must not be lost by a change of something else.
        if self._set(instance, validated_data).intersection(TIMES):
            services.plan(instance)
        instance.save()
        return instance

    @staticmethod
    def _set(schedule: Schedule, values: dict[str, Any]) -> set[str]:
        """Set fields; returns the names of those that are others than before."""
        is_new = schedule.pk is None
        changed = {name for name, value in values.items() if is_new or getattr(schedule, name) != value}
        for name, value in values.items():
            setattr(schedule, name, value)
        return changed
