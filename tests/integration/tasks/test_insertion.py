"""Instances that are saved past the ORM are what the ORM would have saved."""

from django.utils import timezone

from saltant.server.tasks.models import TaskInstance
from saltant.server.tasks.services.insertion import AT_ONCE, insert
from saltant.server.tasks.services.submission import draft
from tests.integration.tasks.conftest import Lab


def drafts(lab: Lab, count: int) -> list[TaskInstance]:
    return [
        draft(
            user=lab.user,
            task_type=lab.task_type,
            task_queue=lab.queue,
            arguments={"n": number, "text": "ünïcode \N{SNOWMAN}", "list": [1.5, None, True]},
            name=f"number {number}",
            labels={"seed": str(number)},
            limits={"timeout": 5, "memory": 2**40, "cpus": 0.5, "priority": 9},
        )
        for number in range(count)
    ]


def values(pk: int) -> dict[str, object]:
    return TaskInstance.objects.filter(pk=pk).values().get() | {"id": None, "uuid": None}


def test_every_column_is_as_the_orm_would_save_it(lab: Lab) -> None:
    [ours], [theirs] = drafts(lab, 1), drafts(lab, 1)
    theirs.datetime_created = ours.datetime_created
    theirs.datetime_changed = ours.datetime_changed
    theirs.start_before = ours.start_before = timezone.now()
    insert([ours])
    theirs.save(force_insert=True)
    assert values(ours.pk) == values(theirs.pk)
    assert TaskInstance.objects.get(pk=ours.pk).uuid == ours.uuid
    ours.message = "changed"
    ours.save()  # it counts as saved
    assert TaskInstance.objects.count() == 2


def test_each_of_many_knows_its_own_row(lab: Lab) -> None:
    many = drafts(lab, AT_ONCE + 3)
    insert(many)
    assert len({instance.pk for instance in many}) == len(many)
    assert all(TaskInstance.objects.get(pk=instance.pk).uuid == instance.uuid for instance in (many[0], many[-1]))
    insert([])
