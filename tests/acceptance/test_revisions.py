"""Task types that change, and instances that run what these were, against a real saltant."""

import json
from pathlib import Path

import pytest

from saltant.exceptions import BadRequest
from saltant.models.base_task_instance import BaseTaskInstance
from tests.acceptance.command_line import Shell, golden
from tests.acceptance.system import START, Site


def printed(instance: BaseTaskInstance) -> str:
    """What it prints, in the end."""
    ended = instance.wait_until_finished(timeout=START)
    assert (ended.state, ended.reason) == ("successful", "exited")
    return str(ended.logs())


def test_what_a_type_was_runs_again(up: Site, tmp_path: Path) -> None:
    jobs, queue = up.client.executable_task_instances, up.own_queue()
    whitelist = up.client.task_whitelists.get(queue.whitelists[0])
    task_type = up.executable("echo old", required_arguments=["a"])
    first = jobs.create(task_type.id, queue.id, {"a": 1})
    assert printed(first) == 'old {"a": 1}\n'
    task_type.command_to_run = "sh -c 'echo new \"$0\"'"
    task_type.put()
    assert (first.sync().revision, task_type.revision) == (1, 2)

    clones = [first.clone(), first.clone(as_was=True), jobs.create(task_type.id, queue.id, {"a": 1}, revision=1)]
    clones += jobs.clone_many([first.uuid], as_was=True)
    assert [each.revision for each in clones] == [2, 1, 1, 1]
    assert [printed(each) for each in clones] == ['new {"a": 1}\n', *['old {"a": 1}\n'] * 3]
    # What is told of the command is what was run.
    assert clones[0].command == ["sh", "-c", 'echo new "$0"', '{"a": 1}']
    assert clones[1].command == ["echo", "old", '{"a": 1}']

    assert [(each.number, *each.changes) for each in task_type.revisions()] == [(2, "command_to_run"), (1,)]
    assert task_type.diff() == {"command_to_run": ["echo old", task_type.command_to_run]}
    whitelist.pin({task_type.id: 1})
    with pytest.raises(BadRequest, match="revision=1"):
        first.clone()
    assert printed(first.clone(as_was=True)) == 'old {"a": 1}\n'

    shell = Shell(up, tmp_path)
    assert golden(shell.prints("history", task_type.name)) == "2\tTIME\tadmin\tcommand_to_run\n1\tTIME\tadmin\t\n"
    assert shell.prints("diff", task_type.name, "2", "1") == ("command_to_run\tsh -c 'echo new \"$0\"'\techo old\n")
    said = shell.prints("revert", task_type.name, "1")
    assert said == f"The task type {task_type.name} is as in revision 1 again: revision 3.\n"
    said = shell.prints("pin", whitelist.name, task_type.name)
    assert said == f"The whitelist {whitelist.name} allows revision 3 of the task type {task_type.name} alone.\n"
    assert whitelist.sync().pinned_revisions == {task_type.id: 3}
    shell.prints("pin", whitelist.name, task_type.name, "--off")
    uuid = shell.prints("run", task_type.name, "a=2", "--queue", queue.name).strip()
    assert printed(jobs.get(uuid)) == 'old {"a": 2}\n'
    shown = json.loads(shell.prints("show", uuid, "--json"))
    assert (shown["revision"], shown["command"]) == (3, ["echo", "old", '{"a": 2}'])
    refused = shell.run("clone", first.uuid, "--as-was")
    assert (refused.returncode, refused.stdout) == (5, "")
    assert "allows revision 3 and later" in refused.stderr
