"""Instances that start after others, run for real."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command_line import Shell
from tests.acceptance.system import START, Site, wait_until


@pytest.mark.everywhere
def test_a_small_chain(up: Site) -> None:
    manager = up.client.executable_task_instances
    queue = up.own_queue().id

    def job(command: str, **more: Any) -> Mapping[str, Any]:
        return {"task_type_id": up.executable(command).id, "task_queue_id": queue, **more}

    gate = manager.create(**job("sleep 600"))
    made = manager.create_many(
        [
            job("true", name="end", after=[2, 3]),
            job("true", name="never", after=[4]),
            job("true", name="left", after=[gate], after_any=[]),
            job("true", name="right", after_any=gate.uuid),
            job("false", name="bad", after_any=[gate]),
            job("true", name="cleaner", after=3, after_any=[1, 4]),
            job("true", name="hopeless", after=[0]),
        ]
    )
    end, never, left, right, bad, cleaner, hopeless = made
    assert {each.state for each in made} == {"created"}
    assert right.sync().waiting == f"It waits for another to end: {gate.uuid}."
    assert {(each.uuid, each.condition) for each in gate.dependents()} == {
        (left.uuid, "success"),
        (right.uuid, "any"),
        (bad.uuid, "any"),
    }
    gate.terminate()
    assert [each.reason for each in manager.wait_many([each.uuid for each in made], timeout=START)]
    for each in (end, never, left, hopeless):
        assert (each.sync().state, each.reason) == ("failed", "dependency_failed")
    assert left.message == f"Instance {gate.uuid} was to succeed first, and it was terminated."
    assert (bad.sync().state, right.sync().state, cleaner.sync().state) == ("failed", "successful", "successful")
    assert cleaner.datetime_started
    assert bad.datetime_finished
    assert cleaner.datetime_started >= bad.datetime_finished
    last = manager.create(**job("true", after=[right, cleaner]))
    chain = manager.create(**job("true", after=last))
    assert chain.wait_until_finished(timeout=START).state == "successful"
    assert [each.state for each in chain.after()] == ["successful"]


def test_from_the_command_line(up: Site, tmp_path: Path) -> None:
    shell = Shell(up, tmp_path)
    queue = up.own_queue()
    up.executable("true", name="after-job")
    create = up.client.executable_task_instances.create
    gate = create(up.executable("sleep 600").id, queue.id)
    ran = shell.prints("run", "after-job", "--queue", queue.name, "--after-any", gate.uuid[:12], "-q").strip()
    shown = shell.prints("ps", "--queue", queue.name, "--state", "created")
    assert ran in shown
    assert f"It waits for another to end: {gate.uuid}." in shown
    assert f"It waits for another to end: {gate.uuid}." in shell.prints("show", ran)
    refused = shell.run("exec", "--queue", queue.name, "--after", "ffffffff-ffff", "--", "true")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "There is no task instance ffffffff-ffff." in refused.stderr
    hopeless = shell.begin("run", "after-job", "--queue", queue.name, "--after", gate.uuid, "--follow")
    wait_until(lambda: len(gate.dependents()) == 2, "the second one waits")
    gate.terminate()
    _, said = hopeless.communicate(timeout=START)
    assert hopeless.returncode == 125
    assert f"Failed: Instance {gate.uuid} was to succeed first, and it was terminated." in said
    assert shell.run("wait", ran).returncode == 0
