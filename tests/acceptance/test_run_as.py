"""`saltant up --run-as USER`: jobs are another user's, and reach nothing of saltant's."""

import os
import pwd
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.system import SALTANT, Up, processes_of, wait_until

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can run jobs as another user")

NOBODY = "nobody"

PRY = """#!/bin/sh
# What it can do is said in lines that begin with CAN.
id -u; id -g
data=$1; shift
for file in saltant.sqlite3 saltant.sqlite3-wal saltant.sqlite3-shm secret-key admin-token address.json lock; do
  [ -e "$data/$file" ] || echo "missing $file"
  cat "$data/$file" >/dev/null 2>&1 && echo "CAN read $file"
  { echo x >>"$data/$file"; } 2>/dev/null && echo "CAN write $file"
done
for folder in . logs results work arguments; do
  ls "$data/$folder" >/dev/null 2>&1 && echo "CAN list $folder"
  mkdir "$data/$folder/mine" 2>/dev/null && echo "CAN write in $folder"
done
for pid in "$@" $PPID; do
  [ -e /proc/$pid ] || echo "missing process $pid"
  for file in environ mem maps auxv; do
    head -c 1 /proc/$pid/$file >/dev/null 2>&1 && echo "CAN read $file of $pid"
  done
  ls /proc/$pid/fd >/dev/null 2>&1 && echo "CAN list the descriptors of $pid"
  kill -0 $pid 2>/dev/null && echo "CAN signal $pid"
done
grep -l "$(printf 'SECRET=')" /proc/[0-9]*/environ 2>/dev/null | grep . && echo "CAN read a secret"
cat /proc/self/environ >/dev/null && echo result >"$JOB_RESULTS_DIRECTORY/result" && echo can write results
touch here "$JOB_LOGS_DIRECTORY/log" && echo can write logs
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that every user can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="module")
def nobodys(folder: Path) -> Iterator[Up]:
    with Up(folder / "data", "--run-as", NOBODY, environ={"SECRET": "s", "SALTANT_KILL_GRACE": "0.2"}) as up:
        yield up


@root_only
def test_a_job_reaches_what_is_its_own_and_nothing_else(nobodys: Up, folder: Path) -> None:
    user = pwd.getpwnam(NOBODY)
    program = folder / "pry"
    program.write_text(PRY)
    program.chmod(0o755)
    nobodys.run(nobodys.executable("/bin/true"))
    assert nobodys.process is not None
    up = nobodys.process.pid
    (launcher,) = [int(pid) for path in Path(f"/proc/{up}/task").glob("*/children") for pid in path.read_text().split()]
    job = nobodys.run(nobodys.executable(f"{program} {nobodys.data_dir} {up} {launcher}"))
    assert (job.state, nobodys.log(job, "stderr")) == ("successful", "")
    assert nobodys.log(job).splitlines() == [
        str(user.pw_uid),
        str(user.pw_gid),
        "can write results",
        "can write logs",
    ]
    logs, results = nobodys.data_dir / "logs" / job.uuid, nobodys.data_dir / "results" / job.uuid
    for path in (logs, logs / f"{job.uuid}-stdout.txt", logs / "log", results, results / "result"):
        assert (path.stat().st_uid, path.stat().st_gid) == (user.pw_uid, user.pw_gid)
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
    for name in ("saltant.sqlite3", "saltant.sqlite3-wal", "saltant.sqlite3-shm", "secret-key", "admin-token"):
        status = (nobodys.data_dir / name).stat()
        assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (0, 0o600)


@root_only
def test_another_users_tree_is_ended_too(nobodys: Up) -> None:
    text = 'setsid sleep 600 & trap "" TERM; (sleep 600 &); echo ready; while :; do sleep 600; done'
    job = nobodys.submit(nobodys.executable(f"/bin/sh -c '{text}'"))
    log = nobodys.data_dir / "logs" / job.uuid / f"{job.uuid}-stdout.txt"
    wait_until(lambda: log.exists() and "ready" in log.read_text(), "it runs")
    assert {os.stat(f"/proc/{pid}").st_uid for pid in processes_of(job.uuid)} == {pwd.getpwnam(NOBODY).pw_uid}  # noqa: PTH116
    job.terminate()
    job.wait_until_finished(0.02, timeout=60)
    assert (job.state, job.reason) == ("terminated", "cancelled")
    assert list(processes_of(job.uuid)) == []


@root_only
def test_a_user_who_is_named_is_not_warned_of(nobodys: Up) -> None:
    assert "--run-as" not in nobodys.output.read_text()


@root_only
def test_root_is_warned_in_one_line(up: Up) -> None:
    (warning,) = [line for line in up.output.read_text().splitlines() if "--run-as" in line]
    assert "as good as root" in warning


@root_only
def test_who_cannot_be_become_is_refused(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(0o700)
    for words, said in (
        (["--data-dir", str(tmp_path / "a"), "--run-as", "no-such-user"], "no user named 'no-such-user'"),
        (["--data-dir", str(tmp_path / "closed" / "b"), "--run-as", NOBODY], "cannot pass through"),
    ):
        refused = subprocess.run([*SALTANT, "up", "--port", "0", *words], capture_output=True, text=True, timeout=60)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert said in refused.stderr
        assert "Traceback" not in refused.stderr


@root_only
def test_the_setting_does_the_same(folder: Path) -> None:
    with Up(folder / "other", environ={"SALTANT_RUN_AS": NOBODY}) as up:
        job = up.run(up.executable("/bin/sh -c 'id -un'"))
        assert up.log(job) == f"{NOBODY}\n"


def test_only_root_may_choose_a_user(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("this is root")
    words = ["up", "--port", "0", "--data-dir", str(tmp_path / "data"), "--run-as", NOBODY]
    refused = subprocess.run([*SALTANT, *words], capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1
    assert "Only root" in refused.stderr
