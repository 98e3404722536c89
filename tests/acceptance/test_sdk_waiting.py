"""Waiting through the SDK, without polling, against a real server."""

import threading
import uuid

import pytest
import requests

from saltant import PartialFailure, WaitTimeout
from tests.acceptance.system import START, Site, Up

LONG = 600.0
"""A pause between two looks that no test outlasts: what comes at once was told, not looked for."""


@pytest.mark.everywhere
def test_an_end_is_told_at_once(up: Site) -> None:
    job = up.submit(up.executable("sleep 0.3"))
    assert job.wait_until_finished(LONG, timeout=START).state == "successful"
    found = up.submit(up.executable("false"))
    assert up.client.executable_task_instances.wait_until_finished(found.uuid, LONG, timeout=START).state == "failed"


@pytest.mark.everywhere
def test_many_are_waited_for(up: Site) -> None:
    manager = up.client.executable_task_instances
    jobs = [up.submit(up.executable(f"sleep {seconds}")) for seconds in (0.6, 0.01, 0.3)]
    uuids = [job.uuid for job in jobs]
    assert manager.wait_many(uuids, timeout=START) == jobs
    found = list(manager.as_completed(uuids, timeout=START))
    assert sorted(each.uuid for each in found) == sorted(uuids)
    assert [each.datetime_finished for each in found] == sorted(each.datetime_finished for each in found if each)
    missing = str(uuid.uuid4())
    with pytest.raises(PartialFailure) as caught:
        manager.wait_many([*uuids, missing, "no-uuid"], timeout=START)
    assert caught.value.failed.keys() == {missing, "no-uuid"}
    assert len(caught.value.succeeded) == 3
    with pytest.raises(PartialFailure):
        up.client.container_task_instances.wait_many(uuids, timeout=START)


@pytest.mark.everywhere
def test_they_come_as_they_end(up: Site) -> None:
    manager = up.client.executable_task_instances
    sleeper, quick = up.submit(up.executable("sleep 600")), up.submit(up.executable("true"))
    completed = manager.as_completed([sleeper.uuid, quick.uuid], timeout=START)
    assert next(completed) == quick
    with pytest.raises(WaitTimeout) as caught:
        manager.wait_many([sleeper.uuid, quick.uuid], timeout=0.2)
    assert (caught.value.finished, caught.value.unfinished) == ([quick], [sleeper.uuid])
    sleeper.terminate()
    ended = next(completed)
    assert (ended, ended.state) == (sleeper, "terminated")
    assert list(completed) == []


@pytest.mark.everywhere
def test_watching(up: Site) -> None:
    task_type = up.executable("sh -c 'exit 3'")
    other = up.executable("true")
    with up.client.executable_task_instances.watch({"task_type": task_type.id}) as changes:
        up.submit(other)
        job = up.submit(task_type)
        seen = []
        for changed in changes:
            assert changed == job
            seen.append((changed.state, changed.attempt))
            if changed.is_finished:
                break
    assert seen[-1] == ("failed", 1)
    assert len(set(seen)) == len(seen)
    assert changed.datetime_changed is not None


def test_waits_outlast_a_server_that_is_started_again(own_up: Up) -> None:
    """Everything goes on by itself: a wait for one and for many, a watch, and a log that is followed."""
    client = own_up.client
    manager = client.executable_task_instances
    task_type = own_up.executable("sh -c 'echo begun; sleep 2; echo done'", max_attempts=3, retry_delay=0)
    job = own_up.submit(task_type)
    followed = job.logs(follow=True, attempt=1)
    assert next(followed) == "begun\n"
    ends: dict[str, object] = {}

    def wait(name: str, act: object) -> threading.Thread:
        def run() -> None:
            ends[name] = act()  # type: ignore[operator]

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    with manager.watch() as changes:
        threads = [
            wait("one", lambda: manager.wait_until_finished(job.uuid, 0.5, timeout=START).state),
            wait("many", lambda: [each.state for each in manager.wait_many([job.uuid], timeout=START)]),
            wait("watch", lambda: next(each.state for each in changes if each.is_finished)),
            wait("log", lambda: "".join(followed)),
        ]
        port = own_up.url.rsplit(":", 1)[1].split("/")[0]
        own_up.kill()
        own_up.options = (*own_up.options, "--port", port)
        own_up.start()
        for thread in threads:
            thread.join(START)
    assert (ends["one"], ends["many"], ends["watch"]) == ("successful", ["successful"], "successful")
    assert "log" in ends, "the first attempt's log has an end, too"


@pytest.mark.everywhere
def test_a_post_whose_answer_is_lost_makes_one(up: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    client = up.client
    task_type, queue = up.executable("true"), client.task_queues.get(name="default")
    send = client.session.send
    lost = 0

    def lose(prepared: requests.PreparedRequest, **options: object) -> requests.Response:
        nonlocal lost
        answer = send(prepared, **options)  # type: ignore[arg-type]
        if prepared.method == "POST" and lost < 2:
            lost += 1
            raise requests.ConnectionError("the answer was lost")
        return answer

    monkeypatch.setattr(client.session, "send", lose)
    made = client.executable_task_instances.create(task_type.id, queue.id, name="once")
    assert lost == 2
    assert client.executable_task_instances.list({"task_type": task_type.id}) == [made]
    lost = 0
    clone = made.clone()
    assert set(client.executable_task_instances.list({"task_type": task_type.id})) == {made, clone}
