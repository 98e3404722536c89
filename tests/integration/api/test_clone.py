"""…taskinstances/{uuid}/clone/."""

import pytest

from saltant.server.tasks.models import TaskQueue
from tests.integration.conftest import Cast, Client, World


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_clone_belongs_to_who_made_it(cast: Cast, world: World, slash: str) -> None:
    path = f"/api/executabletaskinstances/{world.instance.uuid}/"
    answer = cast.stranger.post(f"{path}clone{slash}")
    assert answer.status_code == 201
    clone, original = answer.json(), cast.stranger.get(path).json()
    assert list(clone) == list(original)
    same = ("name", "arguments", "task_queue", "task_type", "state")
    assert [clone[key] for key in same] == [original[key] for key in same]
    assert clone["user"] == "stranger"
    assert clone["uuid"] != original["uuid"]
    assert cast.owner.get(path.replace(original["uuid"], clone["uuid"])).json() == clone


def test_a_clone_obeys_the_rules(cast: Cast, world: World) -> None:
    path = f"/api/executabletaskinstances/{world.instance.uuid}/clone/"
    TaskQueue.objects.update(private=True)
    answer = cast.owner.post(path)
    assert answer.status_code == 400
    assert answer.json() == {"task_queue": [f'Invalid pk "{world.queue.id}" - object does not exist.']}
    assert cast.queue_owner.post(path).status_code == 201
    TaskQueue.objects.update(private=False)
    world.queue.whitelists.clear()
    assert list(cast.owner.post(path).json()) == ["non_field_errors"]


def test_not_across_classes(owner: Client, world: World) -> None:
    assert owner.post(f"/api/containertaskinstances/{world.instance.uuid}/clone/").status_code == 404
    assert owner.post(f"/api/containertaskinstances/{world.container_instance.uuid}/clone/").status_code == 201


def test_a_body_is_not_looked_at(owner: Client, world: World) -> None:
    path = f"/api/executabletaskinstances/{world.instance.uuid}/clone/"
    assert owner.generic("POST", path, "{nonsense", "application/json").status_code == 201
