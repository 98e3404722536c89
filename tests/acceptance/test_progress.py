"""A job that says how far it is, as its submitter sees it before its end."""

from pathlib import Path

import pytest

from tests.acceptance.system import Site, wait_until

REPORTS = """sh -c 'for done in 1 2 3; do
    echo "{\\"done\\": $done, \\"total\\": 4, \\"message\\": \\"reading\\"}" >> "$JOB_PROGRESS_FILE"
    until [ -e "$JOB_RESULTS_DIRECTORY/go" ]; do sleep 0.02; done
done; echo 100% >> "$JOB_PROGRESS_FILE"'"""


@pytest.mark.everywhere
def test_it_is_seen_before_the_end_and_after_it(up: Site) -> None:
    manager = up.client.executable_task_instances
    task_type = up.executable(REPORTS)
    with manager.watch({"task_type": task_type.id}) as changes:
        job = up.submit(task_type)
        first = next(each for each in changes if each.progress is not None)
        assert first.state == "running"
        assert first.progress is not None
        assert (first.progress.percent, first.progress.done, first.progress.message) == (25.0, 1, "reading")
        assert manager.get(job.uuid).progress == first.progress
        (Path(up.data_dir) / "results" / job.uuid / "go").touch()
        ended = next(each for each in changes if each.is_finished)
    assert ended.state == "successful"
    assert ended.progress is not None
    assert (ended.progress.percent, ended.progress.message) == (100.0, "")
    assert [each.name for each in job.results()] == ["go"]
    wait_until(lambda: job.sync().progress == ended.progress, "its last word is kept")
