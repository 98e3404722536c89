"""Many task instances in one request, against a real saltant."""

import pytest

from saltant import ManyFailed, sweep
from saltant.exceptions import BadRequest, NotFound
from tests.acceptance.system import START, Site

COUNT = 1000


def test_a_thousand_are_created_and_waited_for(up: Site) -> None:
    manager = up.client.executable_task_instances
    task_type, queue = up.executable("/bin/true"), up.own_queue()
    ids = {"task_type_id": task_type.id, "task_queue_id": queue.id}
    made = manager.create_many(sweep({"n": range(COUNT)}, **ids, name="number {n}"))
    assert [job.name for job in made] == [f"number {n}" for n in range(COUNT)]
    ended = manager.wait_many((job.uuid for job in made), timeout=START)
    assert ended == made
    assert {(job.state, job.exit_code, job.attempt) for job in ended} == {("successful", 0, 1)}
    assert len(manager.list({"task_queue": queue.id})) == COUNT


def test_many_are_cloned_and_terminated(up: Site) -> None:
    manager = up.client.executable_task_instances
    ids = {"task_type_id": up.executable("sleep 600").id, "task_queue_id": up.own_queue().id}
    made = manager.create_many([ids] * 20)
    clones = manager.clone_many(job.uuid for job in made)
    every = [job.uuid for job in [*made, *clones]]
    assert len(set(every)) == 40
    missing = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(ManyFailed) as caught:
        manager.terminate_many([*every, missing])
    assert isinstance(caught.value.errors[40], NotFound)
    assert [job.uuid for job in caught.value.succeeded] == every
    ended = manager.wait_many(every, timeout=START)
    assert {(job.state, job.reason) for job in ended} == {("terminated", "cancelled")}


def test_what_fails_is_told_and_the_others_run(up: Site) -> None:
    manager = up.client.executable_task_instances
    ids = {"task_type_id": up.executable("true").id, "task_queue_id": up.own_queue().id}
    items = [ids, ids | {"task_type_id": 2**40}, ids | {"name": "last"}]
    with pytest.raises(ManyFailed) as caught:
        manager.create_many(items, all_or_nothing=True)
    assert caught.value.instances == [None] * 3
    assert manager.list({"task_queue": ids["task_queue_id"]}) == []
    with pytest.raises(ManyFailed) as caught:
        manager.create_many(items)
    assert list(caught.value.errors) == [1]
    error = caught.value.errors[1]
    assert isinstance(error, BadRequest)
    assert list(error.field_errors) == ["task_type"]
    first, nothing, last = caught.value.instances
    assert nothing is None
    assert first is not None
    assert last is not None
    assert [job.state for job in manager.wait_many([first.uuid, last.uuid], timeout=START)] == ["successful"] * 2
