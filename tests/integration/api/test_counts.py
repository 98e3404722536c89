"""The count of instances, which is not counted all over every time."""

import pytest
from django.db import connection

from saltant.server.api import counts
from saltant.server.tasks.models import TaskClass, TaskInstance
from tests.integration.conftest import World


def check() -> None:
    """What is told is what is there."""
    for task_class in TaskClass:
        rows = TaskInstance.objects.filter(task_class=task_class)
        assert counts.count_instances(task_class, rows) == rows.count()


def test_rows_that_come_and_go(world: World) -> None:
    check()
    check()
    made = [world.make(world.container if number % 3 else None) for number in range(20)]
    check()
    made[3].delete()
    check()
    made[-1].delete()
    check()
    world.make()
    check()
    made[5].delete()
    world.make()
    check()
    TaskInstance.objects.all().delete()
    check()
    world.make()
    check()


def test_another_database_with_the_same_ids(world: World) -> None:
    first = world.make()
    check()
    first_id = first.id
    first.delete()
    world.make(world.container, id=first_id)
    check()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL counts them all: its index makes that cheap")
def test_only_new_rows_are_counted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = TaskInstance.objects.filter(task_class=TaskClass.EXECUTABLE)
    assert counts.count_instances(TaskClass.EXECUTABLE, rows) == 1
    known = counts._counted[TaskClass.EXECUTABLE]
    world.make()
    assert counts.count_instances(TaskClass.EXECUTABLE, rows) == 2
    assert counts._counted[TaskClass.EXECUTABLE].newest > known.newest
