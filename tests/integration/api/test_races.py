"""What two people do at the same time."""

from typing import Any

import pytest

from saltant.server.api.serializers import ExecutableTypeSerializer, QueueSerializer
from saltant.server.tasks.models import TaskQueue, TaskType
from tests.integration.conftest import Cast, Client, World


def test_a_name_taken_after_the_check(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    check = ExecutableTypeSerializer.validate

    def validate(self: Any, attrs: dict[str, Any]) -> dict[str, Any]:
        TaskType.objects.get_or_create(name="n", task_class="executable", command_to_run="x")
        return check(self, attrs)

    monkeypatch.setattr(ExecutableTypeSerializer, "validate", validate)
    answer = owner.form("POST", "/api/executabletasktypes/", {"name": "n", "command_to_run": "x"})
    assert (answer.status_code, answer.json()) == (
        400,
        {"name": ["executable task type with this name already exists."]},
    )


def test_a_conflict_that_nothing_explains(cast: Cast, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def update(self: Any, instance: TaskQueue, data: dict[str, Any]) -> TaskQueue:
        return TaskQueue.objects.create(name="other")

    monkeypatch.setattr(QueueSerializer, "update", update)
    answer = cast.queue_owner.form("PATCH", f"/api/taskqueues/{world.queue.id}/", {"description": "x"})
    assert answer.status_code == 400
    assert answer.json() == {"non_field_errors": ["Somebody else changed this at the same time."]}
