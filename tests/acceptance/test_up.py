"""`saltant up` and `saltant env`: starts, refusals, stops and crashes."""

import contextlib
import os
import shlex
import signal
import socket
import sqlite3
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

import saltant
from tests.acceptance.system import SALTANT, Up, processes_of, wait_until


def run(*words: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*SALTANT, *words], capture_output=True, text=True, timeout=60, **options)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_a_first_start_makes(up: Up) -> None:
    assert mode(up.data_dir) == 0o700
    for name in ("admin-token", "secret-key", "saltant.sqlite3"):
        assert mode(up.data_dir / name) == 0o600
    queue = up.client.task_queues.get(name="default")
    whitelist = up.client.task_whitelists.get(name="default")
    assert queue.whitelists == [whitelist.id]
    assert queue.user == up.client.users.get("admin").username


def test_env_prints_what_clients_need(up: Up) -> None:
    printed = run("env", "--data-dir", str(up.data_dir))
    assert printed.returncode == 0
    words = [word for word in shlex.split(printed.stdout) if word != "export"]
    assert dict(word.split("=", 1) for word in words) == {"SALTANT_API_URL": up.url, "SALTANT_AUTH_TOKEN": up.token}


def test_env_without_an_up_says_so(tmp_path: Path) -> None:
    printed = run("env", "--data-dir", str(tmp_path / "none"))
    assert (printed.returncode, printed.stdout) == (1, "")
    assert "No `saltant up` is running" in printed.stderr


def test_a_second_up_on_the_folder_says_so(up: Up) -> None:
    second = run("up", "--data-dir", str(up.data_dir), "--port", "0")
    assert (second.returncode, second.stdout) == (1, "")
    assert up.url in second.stderr
    assert "Traceback" not in second.stderr


def test_a_port_in_use_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        second = run("up", "--data-dir", str(tmp_path / "data"), "--port", str(taken.getsockname()[1]))
    assert (second.returncode, second.stdout) == (1, "")
    assert "already in use" in second.stderr
    assert "--port" in second.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--data-dir", "{}/file"], "cannot be used"),
        (["--data-dir", "{}/full"], "not saltant's"),
        (["--data-dir", "{}/locked"], "not saltant's"),
        (["--data-dir", "{}/new", "--grace", "nan"], "--grace"),
        (["--data-dir", "{}/new", "--host", "no.such.host.invalid"], "Cannot listen"),
        (["--data-dir", "{}/new", "--concurrency", "0"], "concurrency"),
        (["--data-dir", "{}/new", "--port", "99999"], "port"),
    ],
)
def test_what_cannot_start_says_why(tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("")
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked" / "lock").write_text("")
    (tmp_path / "locked" / "thesis.txt").write_text("")
    failed = run("up", *[word.format(tmp_path) for word in words])
    assert failed.returncode in (1, 2)
    assert said in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_bad_setting_is_named(tmp_path: Path) -> None:
    failed = run("up", "--data-dir", str(tmp_path / "new"), env=os.environ | {"SALTANT_LEASE": "soon"})
    assert failed.returncode == 1
    assert "SALTANT_LEASE" in failed.stderr


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_ends_what_runs_and_keeps_what_waits(tmp_path: Path, sig: signal.Signals) -> None:
    with Up(tmp_path / "data", "--concurrency", "1", "--grace", "2") as up:
        sleep = up.executable("/bin/sleep 600")
        running = up.submit(sleep)
        wait_until(lambda: running.sync().state == "running", "it runs")
        waiting = up.submit(up.executable("/bin/true"))
        assert up.stop(sig) == 0
        assert list(processes_of(running.uuid)) == []
        assert "Traceback" not in up.output.read_text()

        up.start()
        ended = up.client.executable_task_instances.get(running.uuid)
        assert (ended.state, ended.reason) == ("failed", "server_stopped")
        assert ended.datetime_finished is not None
        then = up.client.executable_task_instances.wait_until_finished(waiting.uuid, 0.05, timeout=60)
        assert then.state == "successful"


def test_a_stop_lets_short_jobs_end_by_themselves(tmp_path: Path) -> None:
    with Up(tmp_path / "data", "--grace", "60") as up:
        short = up.submit(up.executable("/bin/sleep 0.5"))
        wait_until(lambda: short.sync().state == "running", "it runs")
        assert up.stop() == 0
        up.start()
        assert up.client.executable_task_instances.get(short.uuid).state == "successful"


def test_a_second_signal_hurries(tmp_path: Path) -> None:
    with Up(tmp_path / "data", "--grace", "3600") as up:
        stubborn = up.submit(up.executable("/bin/sh -c 'trap \"\" TERM; echo ready; while :; do sleep 1; done'"))
        wait_until(lambda: stubborn.sync().state == "running" and "ready" in up.log(stubborn), "it runs")
        assert up.process is not None
        up.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "topping" in up.output.read_text(), "it says that it stops")
        assert up.stop() == 0
        assert list(processes_of(stubborn.uuid)) == []


def test_after_a_kill_nothing_is_stuck_or_left_or_run_twice(own_up: Up, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    forever = own_up.executable("/bin/sh -c 'setsid sleep 600 & trap \"\" TERM; echo ready; while :; do sleep 1; done'")
    mark = own_up.executable(f"/bin/sh -c 'echo x >> {marks}/$JOB_UUID'".replace("$JOB_UUID", '"$JOB_UUID"'))
    running = [own_up.submit(forever) for _ in range(2)]
    wait_until(lambda: all(job.sync().state == "running" and "ready" in own_up.log(job) for job in running), "both run")
    waiting = [own_up.submit(mark) for _ in range(5)]
    own_up.kill()

    own_up.start()
    for job in running:
        ended = own_up.client.executable_task_instances.wait_until_finished(job.uuid, 0.05, timeout=60)
        assert (ended.state, ended.reason) == ("failed", "lost")
        assert list(processes_of(job.uuid)) == []
    for job in waiting:
        done = own_up.client.executable_task_instances.wait_until_finished(job.uuid, 0.05, timeout=60)
        assert done.state == "successful"
        assert (marks / job.uuid).read_text() == "x\n"


def test_it_serves_only_the_queues_it_is_told(tmp_path: Path) -> None:
    with Up(tmp_path / "data", "--queue", "other") as up:
        job = up.submit(up.executable("/bin/true"))
        wait_until(lambda: job.sync().state == "published", "it is published")
        assert job.waiting == "No worker serves the queue 'default' now."
        whitelist = up.client.task_whitelists.get(name="default")
        other = up.client.task_queues.create("other", whitelists=[whitelist.id])
        served = up.client.executable_task_instances.create(job.task_type, other.id)
        assert served.wait_until_finished(0.05, timeout=60).state == "successful"
        assert job.sync().state == "published"


def test_a_container_waits_and_says_so(up: Up) -> None:
    client = up.client
    container = client.container_task_types.create("box", "/bin/true", "busybox", "docker")
    whitelist = client.task_whitelists.get(name="default")
    client.task_whitelists.patch(whitelist.id, whitelisted_container_task_types=[container.id])
    queue = client.task_queues.get(name="default")
    job = client.container_task_instances.create(container.id, queue.id)
    wait_until(lambda: job.sync().state == "published", "it is published")
    assert job.waiting == "No worker of the queue 'default' can run Docker containers."
    job.terminate()
    assert job.state == "terminated"


def test_the_token_file_comes_back_lost_or_revoked(own_up: Up) -> None:
    first = own_up.token
    (own_up.data_dir / "admin-token").unlink()
    own_up.stop()
    own_up.start()
    assert saltant.Client(own_up.url, own_up.token).users.get("admin").username == "admin"
    for token in ("1", "2"):
        assert run("token", "revoke", token, "--data-dir", str(own_up.data_dir)).returncode == 0
    own_up.stop()
    own_up.start()
    assert saltant.Client(own_up.url, own_up.token).users.get("admin").username == "admin"
    with pytest.raises(saltant.AuthenticationError):
        saltant.Client(own_up.url, first)


def test_without_an_admin_it_says_how_to_make_one(own_up: Up) -> None:
    folder = str(own_up.data_dir)
    own_up.stop()
    with contextlib.closing(sqlite3.connect(own_up.data_dir / "saltant.sqlite3")) as database, database:
        database.execute("UPDATE accounts_user SET is_active = 0")
    failed = run("up", "--data-dir", folder, "--port", "0")
    assert failed.returncode == 1
    assert "saltant user create NAME --admin" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert run("user", "create", "ada", "--admin", "--no-password", "--data-dir", folder).returncode == 0
    own_up.start()
    assert own_up.client.users.get("ada").username == "ada"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")
def test_a_full_disk_says_so(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], check=True)
    try:
        (disk / "data").mkdir()
        (disk / "filler").write_bytes(b"x" * 900_000)
        failed = run("up", "--data-dir", str(disk / "data"), "--port", "0")
        assert failed.returncode == 1
        assert "disk" in failed.stderr
        assert "Traceback" not in failed.stderr
    finally:
        subprocess.run(["umount", str(disk)], check=True)
