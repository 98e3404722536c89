"""What version 2 adds to the bodies of version 1: always after its keys, and in this order."""

from typing import Any, ClassVar

from rest_framework import serializers

from saltant.reasons import Reason
from saltant.server.api.container_fields import CONTAINER, ContainerFields
from saltant.server.api.fields import IdListField, LabelsField
from saltant.server.api.limits import LimitFields
from saltant.server.api.serializers import (
    ContainerTypeSerializer,
    ExecutableTypeSerializer,
    InstanceSerializer,
    QueueSerializer,
    UserSerializer,
    types_of,
)
from saltant.server.tasks import services
from saltant.server.tasks.models import LIMITS, TaskAttempt, TaskClass, TaskQueue


class ExecutableTypeSerializerV2(LimitFields, ExecutableTypeSerializer):
    class Meta(ExecutableTypeSerializer.Meta):
        fields = [*ExecutableTypeSerializer.Meta.fields, *LIMITS]


class ContainerTypeSerializerV2(ContainerFields, LimitFields, ContainerTypeSerializer):
    class Meta(ContainerTypeSerializer.Meta):
        fields = [*ContainerTypeSerializer.Meta.fields, *CONTAINER, *LIMITS]


class MaxRunning(serializers.IntegerField):
    """How many instances may run at once; null: no limit."""

    def __init__(self, whose: str) -> None:
        help_text = f"How many of {whose} instances run at once at most. Null: as many as there is room for."
        super().__init__(min_value=1, max_value=2**31 - 1, required=False, allow_null=True, help_text=help_text)


class UserSerializerV2(UserSerializer):
    username = serializers.CharField(read_only=True)
    email = serializers.CharField(read_only=True)
    max_running = MaxRunning("the user's")

    class Meta(UserSerializer.Meta):
        fields = [*UserSerializer.Meta.fields, "max_running"]


class QueueSerializerV2(QueueSerializer):
    max_running = MaxRunning("its")

    class Meta(QueueSerializer.Meta):
        fields = [*QueueSerializer.Meta.fields, "paused", "max_running"]
        extra_kwargs: ClassVar[dict[str, Any]] = {
            "paused": {"help_text": "Nothing of the queue is started; what is put on it waits."}
        }

    def update(self, instance: TaskQueue, validated_data: dict[str, Any]) -> TaskQueue:
        paused = validated_data.pop("paused", None)
        queue = super().update(instance, validated_data)
        if paused is not None:
            services.set_paused(queue, paused, by=self.context["user"])
        return queue


class WaitingField(serializers.CharField):
    """Why an instance does not run yet: a sentence, or null. It is found out when it is read."""


class InstanceSerializerV2(LimitFields, InstanceSerializer):
    """`current` is the attempt of the instance's current number, where there is one."""

    reason = serializers.ChoiceField(
        [each.value for each in Reason],
        read_only=True,
        allow_null=True,
        help_text="Why the instance ended. Null until it has.",
    )
    message = serializers.CharField(read_only=True, help_text="A sentence for people, with the particulars.")
    attempt = serializers.IntegerField(
        read_only=True, min_value=1, help_text="The number of the current attempt, from 1."
    )
    worker = serializers.CharField(
        source="current.worker",
        read_only=True,
        allow_null=True,
        help_text="The worker that claimed the current attempt. Null if none has.",
    )
    datetime_started = serializers.DateTimeField(
        source="current.datetime_started", read_only=True, allow_null=True, help_text="When the program was started."
    )
    exit_code = serializers.IntegerField(
        source="current.exit_code",
        read_only=True,
        allow_null=True,
        help_text="The program's exit code, if it ended by itself.",
    )
    signal = serializers.IntegerField(
        source="current.signal",
        read_only=True,
        allow_null=True,
        help_text="The number of the signal that killed the program.",
    )
    cpu_seconds = serializers.FloatField(
        source="current.cpu_seconds",
        read_only=True,
        allow_null=True,
        help_text="User and system time of all of its processes, in seconds.",
    )
    peak_memory = serializers.IntegerField(
        source="current.peak_memory",
        read_only=True,
        allow_null=True,
        help_text="The largest resident memory of all of its processes together, in bytes.",
    )
    image_digest = serializers.CharField(
        source="current.image_digest",
        read_only=True,
        allow_null=True,
        help_text="What identifies the image that its container was made from, as `sha256:…`.",
    )
    waiting = WaitingField(
        source="pk",
        read_only=True,
        allow_null=True,
        help_text="Why the instance does not run yet. Null if it does not wait.",
    )
    cancelled_by = serializers.CharField(
        read_only=True, allow_null=True, help_text="Who had the instance terminated. Null if nobody has."
    )
    datetime_changed = serializers.DateTimeField(read_only=True, help_text="When its state last changed.")
    labels = LabelsField(required=False, help_text="Its labels: texts by their keys.")

    class Meta(InstanceSerializer.Meta):
        fields = [
            *InstanceSerializer.Meta.fields,
            "reason",
            "message",
            "attempt",
            "worker",
            "datetime_started",
            "exit_code",
            "signal",
            "cpu_seconds",
            "peak_memory",
            "image_digest",
            "waiting",
            "cancelled_by",
            "datetime_changed",
            "labels",
            *LIMITS,
        ]


class ChangeInstanceSerializer(serializers.Serializer[Any]):
    """The body of a PATCH of an instance."""

    name = serializers.CharField(max_length=200, allow_blank=True, required=False, help_text="Its new name.")
    labels = LabelsField(required=False, help_text="All of its labels: they replace those that it has.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError("Say name, labels or both: nothing else can be changed.")
        return attrs


class AttemptSerializer(serializers.ModelSerializer[TaskAttempt]):
    """One attempt of an instance."""

    class Meta:
        model = TaskAttempt
        fields = [
            "number",
            "worker",
            "reason",
            "message",
            "datetime_claimed",
            "datetime_started",
            "datetime_finished",
            "exit_code",
            "signal",
            "cpu_seconds",
            "peak_memory",
            "image_digest",
        ]
        read_only_fields = fields
        extra_kwargs: ClassVar[dict[str, Any]] = {"reason": {"allow_null": True}, "image_digest": {"allow_null": True}}


class MembersSerializer(serializers.Serializer[Any]):
    """The body of a request that adds types to a whitelist, or takes them off it."""

    container_task_types = IdListField(types_of(TaskClass.CONTAINER), relation="task_types")
    executable_task_types = IdListField(types_of(TaskClass.EXECUTABLE), relation="task_types")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not any(attrs.values()):
            raise serializers.ValidationError(f"Name at least one id in {' or '.join(self.fields)}.")
        return attrs
