"""Results through the SDK: from a real worker, by way of a real server."""

import hashlib
from pathlib import Path

import pytest

from saltant import NotFound, ResultRefused
from tests.acceptance.system import Site

pytestmark = pytest.mark.everywhere

LEAVES = """sh -c 'cd $JOB_RESULTS_DIRECTORY; echo small > "ü 1%.txt"; mkdir -p a/b; : > a/empty;
head -c 9000000 /dev/urandom > a/b/large; ln -s /etc/passwd out; ln -s ../.. a/up; mkfifo pipe'"""


def test_what_a_job_left(up: Site, tmp_path: Path) -> None:
    job = up.run(up.executable(LEAVES))
    assert job.state == "successful", job.message
    results = {each.name: each for each in job.results()}
    taken = {name: each for name, each in results.items() if each.why is None}
    assert taken.keys() == {"ü 1%.txt", "a/empty", "a/b/large"}
    assert results.keys() - taken.keys() >= {"out", "a/up", "pipe"}
    assert (taken["ü 1%.txt"].read(), taken["a/empty"].read()) == (b"small\n", b"")
    large = taken["a/b/large"]
    assert (large.size, hashlib.sha256(large.read()).hexdigest()) == (9_000_000, large.sha256)
    with large.open() as file:
        assert len(file.read(1000)) == 1000
    with pytest.raises(ResultRefused):
        results["out"].read()

    told: list[tuple[int, int, str]] = []
    paths = job.download_results(tmp_path / "out", lambda *said: told.append(said))
    assert {str(path.relative_to(tmp_path / "out")) for path in paths} == taken.keys()
    for path in paths:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == taken[str(path.relative_to(tmp_path / "out"))].sha256
    assert told[-1][:2] == (9_000_006, 9_000_006)
    assert [path.name for path in tmp_path.rglob("*.part")] == []


def test_a_download_that_was_stopped_goes_on(up: Site, tmp_path: Path) -> None:
    job = up.run(up.executable("sh -c 'head -c 5000000 /dev/urandom > $JOB_RESULTS_DIRECTORY/large'"))
    (large,) = job.results()

    def stop(done: int, total: int, name: str) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        large.download(tmp_path, progress=stop)
    assert not (tmp_path / "large").exists()
    begun: list[int] = []
    path = large.download(tmp_path, progress=lambda done, *_: begun.append(done))
    assert begun[0] > 2_500_000
    assert hashlib.sha256(path.read_bytes()).hexdigest() == large.sha256


def test_nothing_was_left(up: Site, tmp_path: Path) -> None:
    job = up.run(up.executable("true"))
    assert job.results() == []
    assert job.download_results(tmp_path / "none") == []
    with pytest.raises(NotFound):
        job.results(attempt=2)
