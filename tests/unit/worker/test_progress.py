"""How far a job is: what it may write, and what is made of anything else."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltant.jobs import Attempt, Job, Kind
from saltant.progress import LONGEST_MESSAGE, Progress, last_progress, progress_of
from saltant.worker.folders import WorkerFolders
from saltant.worker.progress import MOST_BYTES, ProgressFile, report_in_container
from saltant.worker.run_as import RunAs
from saltant.worker.running import Running
from tests.unit.worker.rig import PYTHON, Rig, until

MakeRig = Callable[..., Rig]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("42", Progress(42.0)),
        (" 42.5 % ", Progress(42.5)),
        ('{"percent": 7, "message": "a\\tb\\u001b[2J"}', Progress(7.0, "a b�[2J")),
        ('{"done": 17, "total": 40}', Progress(42.5, "", 17, 40)),
        ('{"done": 50, "total": 40}', Progress(100.0, "", 50, 40)),
        ('{"done": 3, "total": 0, "else": []}', Progress(None, "", 3, 0)),
        ('{"message": "reading"}', Progress(None, "reading")),
        ('{"message": "' + "x" * 300 + '"}', Progress(None, "x" * (LONGEST_MESSAGE - 1) + "…")),
    ],
)
def test_what_a_line_says(line: str, told: Progress) -> None:
    assert last_progress(f"{line}\n".encode()) == told


@pytest.mark.parametrize(
    "line",
    [
        *("", "x", "-1", "101", "1e1", "٤٢", "NaN", "[1]", "{}", "{", '{"percent": 101}', '{"percent": "4"}'),
        *('{"percent": NaN}', '{"done": Infinity}', '{"done": -1}', '{"percent": true}', '{"message": 4}'),
        *('{"message": ""}', '{"total": 1e400}', '{"done": ' + "9" * 5000 + "}", "{" * 4000, '{"a":' * 4000, "\0"),
    ],
)
def test_anything_else_is_passed_over(line: str) -> None:
    assert last_progress(f"5\n{line}\n".encode()) == Progress(5.0)
    assert last_progress(b"\xff\n") is None


def test_the_last_complete_line_counts() -> None:
    assert last_progress(b"1\n2\n3") == Progress(2.0)
    assert last_progress(b"3") == Progress(3.0)
    assert last_progress(b"42\n1\n", is_cut=True) == Progress(1.0)
    assert last_progress(b"42", is_cut=True) is None


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_are_an_error(data: bytes, is_cut: bool) -> None:
    told = last_progress(data, is_cut=is_cut)
    if told is not None:
        assert progress_of(json.loads(json.dumps({name: getattr(told, name) for name in Progress.__slots__}))) == told


def test_hostile_files(tmp_path: Path) -> None:
    path, secret = tmp_path / "progress", tmp_path / "secret"
    secret.write_text("42\n")
    for make in (
        lambda: path.symlink_to(secret),
        lambda: path.symlink_to(path),
        lambda: os.mkfifo(path),
        lambda: path.mkdir(),
        lambda: path.symlink_to("/dev/zero"),
        lambda: path.write_bytes(b""),
    ):
        make()
        assert ProgressFile(path).look() is None
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
    with path.open("wb") as file:
        file.truncate(2**40)
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + b"9" * MOST_BYTES + b"\n")
        assert ProgressFile(path).look() is None
        file.write(b"17\n")
    found = ProgressFile(path)
    assert found.look() == Progress(17.0)
    assert found.look() is None
    path.unlink()
    os.link(secret, path)
    own = RunAs("somebody", os.geteuid() + 1, os.getegid(), ())
    assert ProgressFile(path, own).look() is None
    assert ProgressFile(path).look() == Progress(42.0)
    found.remove()
    assert secret.exists()
    assert not path.exists()


def test_what_one_look_has_found_is_removed_though_another_one_began_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p"
    path.write_text("42")
    found = ProgressFile(path)
    assert found.look() == Progress(42.0)
    with monkeypatch.context() as patch:
        patch.setattr("os.path.lexists", lambda path: False)
        assert found.look() is None
    found.remove()
    assert not path.exists()


def test_a_container_is_told_a_path_of_its_own(tmp_path: Path) -> None:
    folders = WorkerFolders(tmp_path)
    folders.make()
    attempt = Attempt(uuid4(), 1)
    mine = folders.prepare(attempt)

    def told(**paths: str) -> dict[str, str]:
        job = Job(attempt, Kind.DOCKER, "true", {}, **paths)
        return report_in_container(job, mine, None, Running(attempt))

    name = f"{attempt.uuid}-progress.txt"
    assert told(logs_path="/logs/", results_path="/r") == {"JOB_PROGRESS_FILE": f"/logs/{name}"}
    assert told(results_path="/r") == {"JOB_PROGRESS_FILE": f"/r/{name}"}
    assert told() == {}


def test_a_job_is_followed_while_it_runs(make_rig: MakeRig, script: Callable[..., str]) -> None:
    rig = make_rig()
    go = rig.folders.data / "go"
    text = f"""
import os, time
with open(os.environ["JOB_PROGRESS_FILE"], "a") as file:
    print('{{"done": 1, "total": 4}}', file=file, flush=True)
    while not os.path.exists({str(go)!r}):
        time.sleep(0.01)
    print("100", file=file)
"""
    attempt = rig.submit(f"{PYTHON} {script(text)}")
    until(lambda: rig.server.progress.get(attempt) == Progress(25.0, "", 1, 4), "it was not told")
    beats = len(rig.server.heartbeats)
    go.touch()
    assert rig.end_of(attempt).progress == Progress(100.0)
    assert not rig.folders.of(attempt).progress.exists()
    assert len(rig.server.heartbeats) <= beats + 1
    silent, _ = rig.run("/bin/true")
    assert silent.progress is None


def test_a_server_that_is_away_is_told_later(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.server.troubles["heartbeat"] = 1
    go = rig.folders.data / "go"
    attempt = rig.submit(f"sh -c 'echo 50 > $JOB_PROGRESS_FILE; until [ -e {go} ]; do sleep 0.02; done'")
    until(lambda: rig.server.progress.get(attempt) == Progress(50.0), "it was not told")
    go.touch()
    assert rig.end_of(attempt).progress is None  # it is known
