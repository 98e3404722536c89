"""What version 2 adds to the bodies of version 1: always after its keys, and in this order."""

from typing import Any, ClassVar

from rest_framework import serializers

from saltant.reasons import Reason
from saltant.server.api.after import AfterField
from saltant.server.api.container_fields import CONTAINER, ContainerFields
from saltant.server.api.fields import IdListField, JSONValue, LabelsField
from saltant.server.api.limits import LimitFields
from saltant.server.api.revision_fields import CommandField, NumberField, PinsField
from saltant.server.api.serializers import (
    ContainerTypeSerializer,
    ExecutableTypeSerializer,
    InstanceSerializer,
    QueueSerializer,
    UserSerializer,
    WhitelistSerializer,
    types_of,
)
from saltant.server.tasks import services
from saltant.server.tasks.models import LIMITS, TaskAttempt, TaskClass, TaskQueue, TaskWhitelist


class ArchivedField(serializers.DateTimeField):
    """When a thing was archived."""

    def __init__(self) -> None:
        help_text = "When it was archived: nothing new is made with it. Null: it is in use."
        super().__init__(read_only=True, allow_null=True, help_text=help_text)


class RevisionedType(serializers.Serializer[Any]):
    """What both classes of types say of their revisions."""

    revision = NumberField(read_only=True, help_text="The number of its newest revision, which is what it is now.")


class ExecutableTypeSerializerV2(RevisionedType, LimitFields, ExecutableTypeSerializer):
    datetime_archived = ArchivedField()

    class Meta(ExecutableTypeSerializer.Meta):
        fields = [*ExecutableTypeSerializer.Meta.fields, *LIMITS, "datetime_archived", "revision"]


class ContainerTypeSerializerV2(RevisionedType, ContainerFields, LimitFields, ContainerTypeSerializer):
    datetime_archived = ArchivedField()

    class Meta(ContainerTypeSerializer.Meta):
        fields = [*ContainerTypeSerializer.Meta.fields, *CONTAINER, *LIMITS, "datetime_archived", "revision"]


class WhitelistSerializerV2(WhitelistSerializer):
    datetime_archived = ArchivedField()
    pinned_revisions = PinsField(
        "The revisions to which it pins types, by their ids: it allows no other. Types that are not named stay as they "
        "are, null unpins one."
    )

    class Meta(WhitelistSerializer.Meta):
        fields = [*WhitelistSerializer.Meta.fields, "datetime_archived", "pinned_revisions"]

    def create(self, validated_data: dict[str, Any]) -> TaskWhitelist:
        pins = validated_data.pop("pinned_revisions", {})
        whitelist = super().create(validated_data)
        pin_types(whitelist, pins, by=None)
        return whitelist

    def update(self, instance: TaskWhitelist, validated_data: dict[str, Any]) -> TaskWhitelist:
        pins = validated_data.pop("pinned_revisions", {})
        whitelist = super().update(instance, validated_data)
        pin_types(whitelist, pins, by=self.context["user"])
        return whitelist


def pin_types(whitelist: TaskWhitelist, pins: dict[int, int | None], by: Any) -> None:
    """Pin types of a whitelist.

    Raises:
        ValidationError: the services refuse it.
    """
    try:
        services.pin(whitelist, pins, by)
    except services.Refused as refused:
        raise serializers.ValidationError(refused.errors) from None


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
    datetime_archived = ArchivedField()

    class Meta(QueueSerializer.Meta):
        fields = [*QueueSerializer.Meta.fields, "paused", "max_running", "datetime_archived"]
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


class ProgressField(JSONValue):
    """How far the current attempt is, as its job said last."""

    def __init__(self) -> None:
        help_text = "How far the current attempt is, as its job said last. Null if it said nothing."
        super().__init__(source="current.progress", read_only=True, allow_null=True, help_text=help_text)


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
    after = AfterField()
    progress = ProgressField()
    schedule = serializers.IntegerField(
        source="schedule_id", read_only=True, allow_null=True, help_text="The id of the schedule that made it."
    )

    revision = NumberField(
        required=False,
        allow_null=True,
        help_text="The revision of its type that it was made from. Null in a request: the newest; in an answer: it was "
        "made before there were any.",
    )
    command = CommandField()

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
            "after",
            "progress",
            "schedule",
            *LIMITS,
            "revision",
            "command",
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
            lists = [name for name, field in self.fields.items() if isinstance(field, IdListField)]
            raise serializers.ValidationError(f"Name at least one id in {' or '.join(lists)}.")
        return attrs


class PinnedMembersSerializer(MembersSerializer):
    """The body of a request that adds types to a whitelist, and maybe pins some of it."""

    pinned_revisions = PinsField("Revisions, by the ids of types on it, to which it pins them; null unpins one.")
