"""What requests may say, and the one declaration of what answers say.

Input runs through these serializers. Output is made by `representations`, which reads here the keys, their order and
the columns that they come from.
"""

from typing import Any, ClassVar

from django.db import models
from rest_framework import serializers
from rest_framework.validators import UniqueValidator

from saltant.server.accounts.models import User
from saltant.server.api.fields import (
    IdField,
    IdListField,
    JSONObject,
    JSONValue,
    StrictString,
    StringList,
    is_splittable,
    is_variable_name,
)
from saltant.server.tasks import services
from saltant.server.tasks.models import ContainerType, TaskClass, TaskInstance, TaskQueue, TaskType, TaskWhitelist
from saltant.states import State


class UserSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ["username", "email"]


class OwnerField(serializers.CharField):
    """The owner's username, or null."""

    def __init__(self) -> None:
        super().__init__(source="user.username", read_only=True, allow_null=True)


class TypeSerializer(serializers.ModelSerializer[TaskType]):
    """What both classes of types share."""

    task_class: ClassVar[TaskClass]

    user = OwnerField()
    command_to_run = serializers.CharField(max_length=400, validators=[is_splittable])
    environment_variables = StringList(child=StrictString(validators=[is_variable_name]), required=False)
    required_arguments = StringList(child=StrictString(allow_blank=True), required=False)
    required_arguments_default_values = JSONObject(required=False)

    class Meta:
        model = TaskType
        fields = [
            "id",
            "user",
            "name",
            "description",
            "datetime_created",
            "command_to_run",
            "environment_variables",
            "required_arguments",
            "required_arguments_default_values",
        ]

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        fields["name"].validators.append(
            UniqueValidator(TaskType.objects.filter(task_class=self.task_class), message=self.name_taken())
        )
        return fields

    @classmethod
    def name_taken(cls) -> str:
        """What is said when a name is in use."""
        return f"{cls.task_class} task type with this name already exists."

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        def after(field: str, default: Any) -> Any:
            return attrs.get(field, getattr(self.instance, field, default))

        required = after("required_arguments", [])
        unknown = [name for name in after("required_arguments_default_values", {}) if name not in required]
        if unknown:
            names = ", ".join(repr(name) for name in unknown)
            raise serializers.ValidationError(f"Default values name arguments that are not required: {names}.")
        return attrs

    def create(self, validated_data: dict[str, Any]) -> TaskType:
        return super().create({"task_class": self.task_class, **validated_data})


DOCKER_ONLY = {
    "container_user": "Singularity runs a container as the worker's own user: leave this empty, or use Docker.",
    "shm_size": "Singularity cannot set the size of /dev/shm: leave this null, or use Docker.",
}
"""What containers of type singularity cannot have, and why."""


class ExecutableTypeSerializer(TypeSerializer):
    task_class = TaskClass.EXECUTABLE

    class Meta(TypeSerializer.Meta):
        fields = [*TypeSerializer.Meta.fields, "json_file_option"]


class ContainerTypeSerializer(TypeSerializer):
    task_class = TaskClass.CONTAINER

    class Meta(TypeSerializer.Meta):
        fields = [*TypeSerializer.Meta.fields, "logs_path", "results_path", "container_image", "container_type"]
        extra_kwargs: ClassVar[dict[str, Any]] = {
            "container_image": {"required": True, "allow_blank": False},
            "container_type": {"required": True, "allow_blank": False},
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        after = {name: attrs.get(name, getattr(self.instance, name, None)) for name in ("container_type", *DOCKER_ONLY)}
        if after.pop("container_type") == ContainerType.SINGULARITY:
            errors = {name: [DOCKER_ONLY[name]] for name, value in after.items() if value}
            if errors:
                raise serializers.ValidationError(errors)
        return attrs


def types_of(task_class: TaskClass) -> "models.QuerySet[TaskType]":
    """The types of a class."""
    return TaskType.objects.filter(task_class=task_class)


class WhitelistSerializer(serializers.ModelSerializer[TaskWhitelist]):
    user = OwnerField()
    whitelisted_container_task_types = IdListField(
        types_of(TaskClass.CONTAINER), relation="task_types", only={"task_class": TaskClass.CONTAINER}
    )
    whitelisted_executable_task_types = IdListField(
        types_of(TaskClass.EXECUTABLE), relation="task_types", only={"task_class": TaskClass.EXECUTABLE}
    )

    class Meta:
        model = TaskWhitelist
        fields = [
            "id",
            "user",
            "name",
            "description",
            "whitelisted_container_task_types",
            "whitelisted_executable_task_types",
        ]

    def create(self, validated_data: dict[str, Any]) -> TaskWhitelist:
        types = self._pop_types(validated_data)
        whitelist = super().create(validated_data)
        self._set_types(whitelist, types)
        return whitelist

    def update(self, instance: TaskWhitelist, validated_data: dict[str, Any]) -> TaskWhitelist:
        types = self._pop_types(validated_data)
        whitelist = super().update(instance, validated_data)
        self._set_types(whitelist, types)
        return whitelist

    def _pop_types(self, data: dict[str, Any]) -> dict[TaskClass, list[TaskType]]:
        fields = {name: field for name, field in self.fields.items() if isinstance(field, IdListField)}
        return {field.only["task_class"]: data.pop(name) for name, field in fields.items() if name in data}

    def _set_types(self, whitelist: TaskWhitelist, types: dict[TaskClass, list[TaskType]]) -> None:
        """Replace the types of the classes that were named; the others stay."""
        for task_class, wanted in types.items():
            held = set(whitelist.task_types.filter(task_class=task_class))
            try:
                services.check_addable(set(wanted) - held)
            except services.Refused as refused:
                errors = {f"whitelisted_{key}": sentences for key, sentences in refused.errors.items()}
                raise serializers.ValidationError(errors) from None
            whitelist.task_types.remove(*held.difference(wanted))
            whitelist.task_types.add(*wanted)


class QueueSerializer(serializers.ModelSerializer[TaskQueue]):
    user = OwnerField()
    whitelists = IdListField(TaskWhitelist.objects.all(), relation="whitelists")

    class Meta:
        model = TaskQueue
        fields = [
            "id",
            "user",
            "name",
            "description",
            "private",
            "runs_executable_tasks",
            "runs_docker_container_tasks",
            "runs_singularity_container_tasks",
            "active",
            "whitelists",
        ]

    def update(self, instance: TaskQueue, validated_data: dict[str, Any]) -> TaskQueue:
        services.rename_queue(instance, validated_data.pop("name", instance.name))
        return super().update(instance, validated_data)


class InstanceSerializer(serializers.ModelSerializer[TaskInstance]):
    """What both classes of instances share."""

    user = OwnerField()
    state = serializers.ChoiceField([each.value for each in State], read_only=True)
    arguments = JSONValue(required=False, allow_null=True)  # that null is no object is the service's to say
    # Which queues and types a request may name, `instance_input` knows.
    task_queue = IdField(queryset=TaskQueue.objects.all())
    task_type = IdField(queryset=TaskType.objects.all())

    class Meta:
        model = TaskInstance
        fields = [
            "uuid",
            "user",
            "name",
            "state",
            "datetime_created",
            "datetime_finished",
            "arguments",
            "task_queue",
            "task_type",
        ]
        read_only_fields = ["datetime_finished"]


class StateSerializer(serializers.Serializer[Any]):
    """The body of a PATCH that reports a state."""

    state = serializers.ChoiceField([each.value for each in State])
