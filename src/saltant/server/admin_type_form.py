"""The admin's form of a task type: it checks what the API checks."""

from typing import Any, ClassVar

from django import forms
from rest_framework.exceptions import ValidationError as ApiError

from saltant.server.api.serializers import ExecutableTypeSerializer
from saltant.server.api.serializers_v2 import ContainerTypeSerializerV2
from saltant.server.tasks.models import LIMITS, TaskClass, TaskType

SERIALIZERS: dict[str, Any] = {
    TaskClass.EXECUTABLE: ExecutableTypeSerializer,
    TaskClass.CONTAINER: ContainerTypeSerializerV2,
}
EMPTY: dict[str, Any] = {
    "environment_variables": [],
    "required_arguments": [],
    "required_arguments_default_values": {},
}
NULLABLE = ("json_file_option", "logs_path", "results_path")


class TypeForm(forms.ModelForm):  # type: ignore[type-arg]
    """A task type."""

    environment_variables = forms.JSONField(required=False, initial=list, help_text="A JSON list of names.")
    required_arguments = forms.JSONField(required=False, initial=list, help_text="A JSON list of names.")
    required_arguments_default_values = forms.JSONField(required=False, initial=dict, help_text="A JSON object.")

    class Meta:
        model = TaskType
        exclude: ClassVar = ["datetime_created"]

    def clean(self) -> dict[str, Any]:
        """What the API accepts, and no more."""
        super().clean()
        data = self.cleaned_data
        for name, empty in EMPTY.items():
            if name in data and data[name] is None:
                data[name] = empty
        for name in NULLABLE:
            # A field left empty is one not set: no path, no option, can be "".
            data[name] = data.get(name) or None
        for name in LIMITS:
            value, may_be_0 = data.get(name), name == "retry_delay"
            if isinstance(value, int | float) and not (0 <= value < 2**53 and (value or may_be_0)):
                self.add_error(name, f"This must be {'0 or more' if may_be_0 else 'more than 0'}.")
        self._check_as_api(data)
        return data

    def _check_as_api(self, data: dict[str, Any]) -> None:
        task_class = data.get("task_class") or self.instance.task_class
        if task_class not in SERIALIZERS:
            return
        existing = self.instance if self.instance.pk else None
        names = SERIALIZERS[task_class].Meta.fields
        said = {name: data[name] for name in names if name in data and data[name] is not None}
        serializer = SERIALIZERS[task_class](existing, data=said, partial=existing is not None)
        try:
            serializer.is_valid(raise_exception=True)
        except ApiError as error:
            details: Any = error.detail
            for name, found in details.items():
                self.add_error(name if name in self.fields else None, [str(each) for each in found])
        if task_class == TaskClass.EXECUTABLE and (data.get("container_type") or data.get("container_image")):
            self.add_error("container_type", "An executable has no container.")
