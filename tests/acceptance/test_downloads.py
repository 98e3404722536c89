"""Logs and results by HTTP, from a server that runs: large ones, in parts, and while others want something."""

import io
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
import requests

from saltant.models.executable_task_instance import ExecutableTaskInstance
from tests.acceptance.system import SALTANT, START, Up

SIZE = 150_000_000


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A saltant."""
    with Up(tmp_path_factory.mktemp("downloads") / "data") as up:
        yield up


@pytest.fixture(scope="module")
def job(up: Up) -> ExecutableTaskInstance:
    """One that printed something, and left a large file, a small one and a link."""
    left = 'cd "$JOB_RESULTS_DIRECTORY"'
    script = f"echo printed; {left} && head -c {SIZE} /dev/zero >large && mkdir a && echo small >a/small"
    instance = up.run(up.executable(f"/bin/sh -c '{script} && ln -s /etc/passwd link'"))
    assert instance.state == "successful"
    return instance


def get(up: Up, job: ExecutableTaskInstance, path: str, **headers: str) -> requests.Response:
    """What the server answers; its body is not read yet."""
    said = {"Authorization": f"Token {up.token}"} | headers
    return requests.get(f"{up.url}executabletaskinstances/{job.uuid}/{path}", headers=said, stream=True, timeout=START)


def peak_memory(up: Up) -> int:
    """The largest resident memory of its process so far, in bytes."""
    assert up.process is not None
    for line in Path(f"/proc/{up.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("there is no VmHWM")


def test_a_large_result_needs_no_memory(up: Up, job: ExecutableTaskInstance) -> None:
    listed = {each["name"]: each for each in get(up, job, "results/").json()}
    assert set(listed) == {"large", "a/small", "link"}
    assert listed["link"]["why"]
    before = peak_memory(up)
    digest, size = sha256(), 0
    with get(up, job, "results/large") as answer:
        assert answer.headers["Content-Length"] == str(SIZE)
        for part in answer.iter_content(2**16):
            digest.update(part)
            size += len(part)
    assert (size, digest.hexdigest()) == (SIZE, listed["large"]["sha256"])
    with get(up, job, "results.zip") as answer:
        assert "Content-Length" not in answer.headers
        zipped = answer.content
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == ["a/small", "large"]
    with get(up, job, "results.tar") as answer, tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
        assert sorted(archive.getnames()) == ["a/small", "large"]
    assert peak_memory(up) - before < 50_000_000


def test_parts(up: Up, job: ExecutableTaskInstance) -> None:
    assert get(up, job, "results/a/small").content == b"small\n"
    answer = get(up, job, "results/large", Range=f"bytes={SIZE - 3}-")
    assert (answer.status_code, answer.content) == (206, bytes(3))
    assert get(up, job, "logs/stdout").content == b"printed\n"
    assert get(up, job, "logs/stdout").headers["Saltant-Finished"] == "true"


def test_clients_that_read_slowly_starve_nobody(up: Up, job: ExecutableTaskInstance) -> None:
    slow = [get(up, job, "results/large") for _ in range(30)]
    try:
        assert all(answer.status_code == 200 for answer in slow)
        assert get(up, job, "results/a/small").content == b"small\n"
        assert up.run(up.executable("/bin/true")).state == "successful"
    finally:
        for answer in slow:
            answer.close()


def test_a_backup_has_them(up: Up, job: ExecutableTaskInstance, tmp_path: Path) -> None:
    backup, data = tmp_path / "backup.tar.gz", tmp_path / "data"
    words = ["backup", str(backup), "--data-dir", str(up.data_dir)]
    subprocess.run([*SALTANT, *words], check=True, capture_output=True, timeout=START)
    words = ["restore", str(backup), "--data-dir", str(data)]
    subprocess.run([*SALTANT, *words], check=True, capture_output=True, timeout=START)
    with Up(data) as restored:
        assert get(restored, job, "logs/stdout").content == b"printed\n"
        with get(restored, job, "results/large") as answer:
            assert sha256(answer.content).hexdigest() == sha256(bytes(SIZE)).hexdigest()


def test_a_backup_says_what_is_elsewhere(tmp_path: Path) -> None:
    environ = {"SALTANT_FILES_DIR": str(tmp_path / "elsewhere")}
    with Up(tmp_path / "data", environ=environ) as up:
        job = up.run(up.executable("/bin/echo printed"))
        assert get(up, job, "logs/stdout").content == b"printed\n"
        words = ["backup", str(tmp_path / "backup.tar.gz"), "--data-dir", str(up.data_dir)]
        done = subprocess.run([*SALTANT, *words], env=up.environ, capture_output=True, text=True, timeout=START)
        assert f"Left out: what the server keeps of logs and results in {tmp_path / 'elsewhere'}." in done.stderr
