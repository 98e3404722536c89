"""Archiving, renaming and deleting, by the SDK and on the command line, against a real server."""

import json
from pathlib import Path

import pytest

from saltant.exceptions import BadRequest, Conflict, NotFound, PartialFailure
from tests.acceptance.command_line import Shell
from tests.acceptance.system import Site
from tests.acceptance.test_sdk_types import fresh


def test_by_the_sdk(up: Site) -> None:
    client = up.client
    jobs = client.executable_task_instances
    job_type = client.executable_task_types.create(fresh(), "true")
    container = client.container_task_types.create(fresh(), "true", "i", "docker")
    whitelist = client.task_whitelists.create(fresh("list"), whitelisted_executable_task_types=[job_type.id])
    queue = client.task_queues.create(fresh("queue"), whitelists=[whitelist.id])
    assert jobs.create(job_type.id, queue.id).wait_until_finished(0.05, timeout=60).state == "successful"
    for thing in (job_type, whitelist, queue):
        assert thing.archive() is thing
        assert thing.archived
        assert thing.manager.get(thing.id).datetime_archived == thing.datetime_archived
        assert thing.manager.list({"archived": True, "name": thing.name}) == [thing]
        assert thing.manager.list({"archived": False, "name": thing.name}) == []
        with pytest.raises(BadRequest, match="is archived"):
            jobs.create(job_type.id, queue.id)
        with pytest.raises(PartialFailure) as failed:
            jobs.create_many([{"task_type_id": job_type.id, "task_queue_id": queue.id}])
        [error] = failed.value.failed.values()
        assert "is archived" in str(error)
        assert not thing.unarchive().archived
        with pytest.raises(Conflict, match="Archive it instead"):
            thing.delete()
    with pytest.raises(BadRequest, match="is archived"):
        whitelist.add(container_task_types=[container.archive().id])
    assert container.delete() is container
    with pytest.raises(NotFound):
        container.sync()

    before = jobs.create(job_type.id, queue.id)
    job_type.name, queue.name, whitelist.name = fresh("t"), fresh("q"), fresh("w")
    for thing in (job_type, queue, whitelist):
        assert thing.put().name == thing.manager.get(thing.id).name
    for each in (before, jobs.create(job_type.id, queue.id)):
        assert each.wait_until_finished(0.05, timeout=60).state == "successful"


def test_lists_are_paged_by_cursors(up: Site) -> None:
    client = up.client
    owner = fresh("paged")
    made = [client.task_whitelists.create(f"{owner}-{number}").id for number in range(7)]
    filters = {"name__startswith": owner, "ordering": "-name"}
    assert [each.id for each in client.task_whitelists.iterate(filters, page_size=2)] == made[::-1]
    assert [each.id for each in client.task_whitelists.iterate({"name__startswith": owner}, page_size=3)] == made
    for each in made:
        client.task_whitelists.delete(each)


def test_on_the_command_line(up: Site, tmp_path: Path) -> None:
    shell, client = Shell(up, tmp_path), up.client
    name, new, label = fresh("gone"), fresh("new"), f"run={fresh('x')}"
    sleeper = up.executable("sleep 600")
    whitelist = client.task_whitelists.get(name="default")
    queue = client.task_queues.create(name, whitelists=[whitelist.id])
    created = [
        client.executable_task_instances.create(sleeper.id, queue.id, labels=dict([label.split("=")])) for _ in range(2)
    ]
    assert shell.prints("rename", "queue", name, new) == f"The queue '{new}' was '{name}'.\n"
    shell.prints("archive", "queue", new)
    assert new in shell.prints("queues", "--archived", "-q").split()
    assert new not in shell.prints("queues", "-q").split()
    refused = shell.run("run", sleeper.name, "--queue", new)
    assert (refused.returncode, refused.stdout) == (5, "")
    assert f"The queue '{new}' is archived" in refused.stderr
    kept = shell.run("delete", "queue", new)
    assert (kept.returncode, "it has 2 task instances" in kept.stderr) == (5, True)
    killed = json.loads(shell.prints("kill", "--label", label, "--json"))
    assert {each["uuid"] for each in killed} == {each.uuid for each in created}
    assert {each.wait_until_finished(0.05, timeout=60).state for each in created} == {"terminated"}
    assert shell.run("kill", "--label", label).stderr == "There are none that have not ended.\n"
    assert shell.run("kill", created[0].uuid, "--label", label).returncode == 2
    said = json.loads(shell.prints("unarchive", "queue", new, "--json"))
    assert (said["name"], said["datetime_archived"]) == (new, None)
    empty = client.task_whitelists.create(fresh("empty")).name
    assert empty in shell.prints("whitelists", "-q").split()
    assert shell.prints("delete", "whitelist", empty, "--yes") == f"The whitelist '{empty}' is deleted.\n"
    assert shell.run("delete", "whitelist", empty).returncode == 3
