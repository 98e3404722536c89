"""What answers say of workers."""

from typing import ClassVar

from rest_framework import serializers

from saltant.server.api.fields import JSONValue, StrictString, StringList
from saltant.server.api.serializers import OwnerField
from saltant.server.tasks.models import Worker
from saltant.server.tasks.worker_state import WorkerState


class WorkerStateField(serializers.ChoiceField):
    """How a worker is. It is found out when it is read."""

    def __init__(self) -> None:
        help_text = "`draining`: it takes nothing new; `lost`: it is silent; `stopped`: it said goodbye."
        super().__init__([state.value for state in WorkerState], source="pk", read_only=True, help_text=help_text)


class RunningField(JSONValue):
    """What a worker holds leases for."""

    def __init__(self) -> None:
        super().__init__(source="pk", read_only=True)


class Texts(StringList):
    """A list of strings that is only read."""

    def __init__(self, *, allow_null: bool = False) -> None:
        super().__init__(child=StrictString(), read_only=True, allow_null=allow_null)


class WorkerSerializer(serializers.ModelSerializer[Worker]):
    user = OwnerField()
    state = WorkerStateField()
    queues = Texts(allow_null=True)
    kinds = Texts()
    gpus = Texts()
    running = RunningField()

    class Meta:
        model = Worker
        fields: ClassVar = [
            "name",
            "user",
            "state",
            "host",
            "version",
            "queues",
            "kinds",
            "slots",
            "cpus",
            "memory",
            "gpus",
            "running",
            "datetime_announced",
            "datetime_heartbeat",
        ]
        read_only_fields = fields
