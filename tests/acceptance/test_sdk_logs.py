"""Logs through the SDK: from a real worker, by way of a real server."""

import hashlib
from pathlib import Path

import pytest

from saltant import NotFound, TaskFailed
from tests.acceptance.system import START, Site

pytestmark = pytest.mark.everywhere

LINES = 20_000
COUNT = f"sh -c 'seq {LINES}; echo oops >&2'"


def test_what_a_job_printed(up: Site) -> None:
    job = up.run(up.executable("printf 'eins\\nzw\\303\\266lf \\377\\n'"))
    assert job.state == "successful"
    assert job.logs() == "eins\nzwölf \ufffd\n"
    assert job.logs(as_bytes=True) == b"eins\nzw\xc3\xb6lf \xff\n"
    assert job.logs(tail=1) == "zwölf \ufffd\n"
    assert job.logs(tail=0) == job.logs("stderr") == ""
    assert list(job.logs(follow=True)) == ["eins\n", "zwölf \ufffd\n"]
    assert [(each.attempt, each.name, each.size, each.is_cut) for each in job.log_files()] == [(1, "stdout", 14, False)]
    with pytest.raises(NotFound):
        job.logs("nothing.txt")
    with pytest.raises(NotFound):
        job.logs(attempt=2)


def test_following_from_before_the_start_to_the_end(up: Site) -> None:
    queue = up.own_queue()
    queue.pause()
    job = up.client.executable_task_instances.create(up.executable(COUNT).id, queue.id)
    followed = job.logs(follow=True)
    queue.resume()
    lines = list(followed)
    assert lines == [f"{number}\n" for number in range(1, LINES + 1)]
    assert job.sync().is_finished, "it ends with the instance"
    assert "".join(job.logs(follow=True, tail=3)) == "".join(lines[-3:])
    assert list(job.logs("stderr", follow=True, as_bytes=True)) == [b"oops\n"]


def test_following_shows_what_is_printed_while_it_runs(up: Site, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    tmp_path.chmod(0o755)
    job = up.submit(up.executable(f"sh -c 'echo first; while ! [ -e {gate} ]; do sleep 0.05; done; echo last'"))
    followed = job.logs(follow=True)
    assert next(followed) == "first\n"
    assert not job.sync().is_finished
    gate.touch()
    assert list(followed) == ["last\n"]
    assert job.sync().state == "successful"


def test_following_a_job_that_never_starts(up: Site) -> None:
    queue = up.own_queue()
    queue.pause()
    job = up.client.executable_task_instances.create(up.executable("true").id, queue.id)
    followed = job.logs(follow=True)
    assert job.terminate().state == "terminated"
    assert list(followed) == []


def test_every_attempt_has_its_log(up: Site) -> None:
    task_type = up.executable(
        """sh -c 'echo "attempt $JOB_ATTEMPT of $JOB_UUID"; echo why >&2; exit 3'""",
        max_attempts=2,
        retry_on="failed",
        retry_delay=0,
    )
    job = up.submit(task_type)
    with pytest.raises(TaskFailed) as caught:
        job.wait_until_finished(timeout=START, raise_on_failure=True)
    assert (caught.value.reason, caught.value.log_tail) == ("exited", "why\n")
    assert caught.value.instance is job
    assert [each.attempt for each in job.log_files(attempt=1)] == [1, 1]
    for number in (1, 2):
        assert job.uuid in job.logs(attempt=number)
        assert list(job.logs(attempt=number, follow=True)) == [job.logs(attempt=number)]


def test_two_megabytes_of_anything(up: Site) -> None:
    job = up.submit(up.executable("sh -c 'head -c 2000000 /dev/urandom | tee $JOB_RESULTS_DIRECTORY/all'"))
    digest = hashlib.sha256()
    for line in job.logs(follow=True, as_bytes=True):
        digest.update(line)
    (result,) = job.wait_until_finished(timeout=START).results()
    assert digest.hexdigest() == result.sha256
