"""Schedules against a real saltant and its clock, from the command line and the SDK."""

import json
import uuid
from pathlib import Path

import pytest

from saltant import BadRequest, NotFound
from tests.acceptance.command_line import Shell
from tests.acceptance.system import START, Site, wait_until

A_MINUTE = 65.0


def test_a_schedule_runs_when_its_time_comes(up: Site, tmp_path: Path) -> None:
    shell, schedules = Shell(up, tmp_path), up.client.schedules
    task_type = up.executable("echo", required_arguments=["word"])
    name = f"schedule-{uuid.uuid4()}"
    said = shell.prints(
        *("schedule", "create", name, task_type.name, "word=hello", "--queue", "default", "--cron", "* * * * *"),
        *("--label", "by=clock", "--overlap", "allow"),
    )
    assert said.startswith(f"{name} runs next ")
    schedule = schedules.get(name=name)
    first = schedule.next_time
    assert first is not None
    # What the minute is for: the rest of the command line, with a schedule whose time is far away.
    other = f"{name}-yearly"
    refused = shell.run("schedule", "create", other, task_type.name, "word=x", "--queue", "default", "--cron", "yearly")
    assert (refused.returncode, "Write five fields" in refused.stderr) == (5, True)
    created = ("schedule", "create", other, task_type.name, "word=x", "--queue", "default", "--cron", "0 0 1 1 *")
    assert json.loads(shell.prints(*created, "--timezone", "Europe/Berlin", "--json"))["overlap"] == "skip"
    ran = shell.prints("schedule", "run", other).strip()
    assert shell.prints("wait", ran).endswith("\n")
    assert "\tpaused\t" in "\t".join(shell.prints("schedule", "pause", other).split())
    assert other in shell.prints("schedules", "--paused", "-q").splitlines()
    shown = json.loads(shell.prints("schedule", "show", other, "--json"))
    assert (shown["state"], shown["type"], shown["last_instance"], len(shown["times"])) == (
        "paused",
        task_type.name,
        ran,
        5,
    )
    shell.prints("schedule", "resume", other)
    shell.prints("schedule", "delete", other)
    gone = shell.run("schedule", "show", other)
    assert (gone.returncode, gone.stderr.startswith(f"Error: There is no schedule '{other}'.")) == (3, True)
    assert up.client.executable_task_instances.get(ran).schedule is None
    wait_until(schedule.instances, "an instance of the schedule", A_MINUTE)
    [instance] = schedule.pause().instances()
    assert instance.datetime_created >= first
    assert (instance.labels, instance.schedule) == ({"by": "clock"}, schedule.id)
    instance.wait_until_finished(timeout=START, raise_on_failure=True)
    assert up.log(instance) == '{"word": "hello"}\n'
    assert (schedule.last_time, schedule.last_instance, schedule.next_time) == (first, instance.uuid, None)
    schedule.delete()


def test_a_change_says_what_it_changes(up: Site, tmp_path: Path) -> None:
    shell, schedules = Shell(up, tmp_path), up.client.schedules
    task_type, queue = up.executable("echo", required_arguments=["word"]), up.client.task_queues.get(name="default")
    name = f"schedule-{uuid.uuid4()}"
    made = schedules.create(
        name, task_type.id, queue.id, "0 0 1 1 *", {"word": "a", "n": 1}, labels={"by": "clock"}, overlap="wait"
    )
    change = ("schedule", "change", name)
    shown = json.loads(shell.prints(*change, "word=b", "--cron", "0 0 2 1 *", "--label", "of=b", "--json"))
    assert (shown["arguments"], shown["labels"]) == ({"word": "b", "n": 1}, {"by": "clock", "of": "b"})
    assert (shown["cron"], shown["overlap"], shown["next_time"][5:10]) == ("0 0 2 1 *", "wait", "01-02")
    other = up.executable("true")
    shell.prints(*change, "--args", "{}", "--type", other.name, "--queue", "default", "--timezone", "Asia/Tokyo")
    made.sync()
    assert (made.arguments, made.task_type, made.timezone) == ({}, other.id, "Asia/Tokyo")
    shell.prints(*change, "--overlap", "allow", "--instance-name", "i", "--description", "d")
    assert (made.sync().overlap, made.instance_name, made.description) == ("allow", "i", "d")
    assert shell.prints(*change, "--description", "", "-q") == f"{name}\n"
    assert made.sync().description == ""
    for words, code, told in (
        ((), 2, "Say what to change"),
        (("--cron", "never"), 5, "Write five fields"),
        (("--queue", "nowhere"), 3, "There is no task queue 'nowhere'"),
        (("--type", task_type.name), 5, "word"),
        (("--label", "x"), 2, "write --label KEY=VALUE"),
    ):
        done = shell.run(*change, *words)
        assert (done.returncode, told in done.stderr) == (code, True), done.stderr
    assert shell.run("schedule", "change", f"{name}-none", "--overlap", "skip").returncode == 3
    made.delete()


def test_the_sdk(up: Site) -> None:
    schedules = up.client.schedules
    task_type, queue = up.executable("true"), up.client.task_queues.get(name="default")
    name = f"schedule-{uuid.uuid4()}"
    made = schedules.create(name, task_type.id, queue.id, "0 0 1 1 *", {"a": 1}, limits={"timeout": 60}, active=False)
    assert schedules.get(made.id) == schedules.get(name=name) == made
    assert (made.next_time, made.limits) == (None, {"timeout": 60.0})
    assert len(made.times(3)) == 3
    made.description, made.overlap = "d", "wait"
    assert made.put().sync().overlap == "wait"
    assert schedules.patch(made.id, cron="0 0 2 1 *", limits={}).limits == {}
    job = made.run().wait_until_finished(timeout=START)
    assert (job.state, job.arguments, made.sync().last_instance) == ("successful", {"a": 1}, job.uuid)
    assert made.instances() == made.instances({"state": "successful"}) == [job]
    assert made.instances({"state": "failed"}) == []
    assert made.resume().next_time == made.times(1)[0]
    with pytest.raises(BadRequest, match="no time zone"):
        schedules.patch(made.id, timezone="Berlin")
    made.delete()
    with pytest.raises(NotFound):
        made.sync()
