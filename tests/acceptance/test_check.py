"""`saltant check`: with and without a running `up`, and with what can be wrong."""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from saltant.config import Settings
from saltant.worker.engine_checks import check_docker
from tests.acceptance.system import SALTANT, Up
from tests.services.docker import Docker
from tests.services.fixtures import obtain

PARTS = [
    *("settings", "https", "run-as", "folder", "disk", "database", "migrations", "files", "admin-token", "clock"),
    *("versions", "server", "launcher", "docker", "singularity"),
]


def run(folder: Path, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    command = [*SALTANT, "check", "--data-dir", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ | environ)


def check(folder: Path, **environ: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = run(folder, "--json", **environ)
    assert "Traceback" not in done.stderr
    return done.returncode, {each["part"]: each for each in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose `up` is stopped."""
    folder = tmp_path_factory.mktemp("stopped") / "data"
    with Up(folder) as up:
        up.stop()
    return folder


@pytest.fixture
def folder(stopped: Path, tmp_path: Path) -> Path:
    """A folder to break."""
    return Path(shutil.copytree(stopped, tmp_path / "data"))


def failures(found: dict[str, dict[str, Any]]) -> list[str]:
    for each in found.values():
        assert bool(each["advice"]) is not each["ok"]
    return [part for part, each in found.items() if not each["ok"]]


def test_all_is_well(up: Up, stopped: Path) -> None:
    code, found = check(up.data_dir)
    assert (code, list(found), failures(found)) == (0, PARTS, [])
    assert up.url in found["server"]["says"]
    code, found = check(stopped)
    assert (code, list(found), failures(found)) == (0, PARTS, [])
    assert found["server"]["says"] == "not running"


def test_the_table(stopped: Path, tmp_path: Path) -> None:
    lines = run(stopped).stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [[part, "ok"] for part in PARTS]
    failed = run(tmp_path / "none")
    assert failed.returncode == 1
    assert "FAIL" in failed.stdout
    assert "Run `saltant up` once" in failed.stdout


def test_files_that_cannot_be_kept(stopped: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, found = check(stopped, SALTANT_FILES_DIR=str(tmp_path / "file"))
    assert (code, failures(found)) == (1, ["files"])
    assert "cannot be used: Not a directory" in found["files"]["says"]
    assert "SALTANT_FILES_DIR" in found["files"]["advice"]


def test_a_missing_folder_is_not_made(tmp_path: Path) -> None:
    code, found = check(tmp_path / "none")
    assert (code, failures(found)) == (1, ["folder"])
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", ["", "saltant.sqlite3", "secret-key", "admin-token"])
def test_what_others_can_read(folder: Path, name: str) -> None:
    (folder / name).chmod(0o755)
    code, found = check(folder)
    assert code == 1
    assert "folder" in failures(found)
    assert found["folder"]["advice"].startswith("chmod")
    assert subprocess.run(found["folder"]["advice"].split()).returncode == 0
    assert check(folder)[0] == 0


def test_a_damaged_database(folder: Path) -> None:
    database = folder / "saltant.sqlite3"
    size = database.stat().st_size
    with database.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 8192))
    code, found = check(folder)
    assert code == 1
    assert "database" in failures(found)
    assert "restore" in found["database"]["advice"]
    database.write_bytes(b"no database at all" * 1000)
    assert "database" in failures(check(folder)[1])


def test_missing_migrations_and_a_clock_that_went_back(folder: Path) -> None:
    import sqlite3

    with sqlite3.connect(folder / "saltant.sqlite3") as database:
        database.execute("DELETE FROM django_migrations WHERE app = 'audit'")
        ahead = time.strftime("%Y-%m-%d %H:%M:%S.000000", time.gmtime(time.time() + 86400))
        database.execute("UPDATE tasks_worker SET datetime_heartbeat = ?", [ahead])
        assert database.execute("SELECT changes()").fetchone() == (1,)
    database.close()
    code, found = check(folder)
    assert (code, failures(found)) == (1, ["migrations", "clock"])
    assert "audit.0001" in found["migrations"]["says"]


def test_a_setting_that_cannot_be_used(stopped: Path) -> None:
    code, found = check(stopped, SALTANT_LEASE="soon")
    assert (code, failures(found)) == (1, ["settings"])
    assert "SALTANT_LEASE" in found["settings"]["says"]


def test_https_wants_a_trusted_proxy(stopped: Path) -> None:
    code, found = check(stopped, SALTANT_HTTPS="yes")
    assert (code, failures(found)) == (1, ["https"])
    assert "SALTANT_TRUSTED_PROXIES" in found["https"]["advice"]
    assert check(stopped, SALTANT_HTTPS="yes", SALTANT_TRUSTED_PROXIES="127.0.0.1")[0] == 0


def test_a_user_for_jobs_who_does_not_exist(stopped: Path) -> None:
    code, found = check(stopped, SALTANT_RUN_AS="nosuchuser")
    assert (code, failures(found)) == (1, ["run-as"])
    assert "nosuchuser" in found["run-as"]["says"]


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can run jobs as another user")
def test_a_user_for_jobs_must_reach_them(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        moved = Path(shutil.copytree(folder, Path(name) / "data"))
        code, found = check(moved, SALTANT_RUN_AS="nobody")
        assert (code, failures(found)) == (1, ["run-as"])
        assert name in found["run-as"]["says"]
        assert "as nobody" in found["launcher"]["says"]
        Path(name).chmod(0o711)
        assert check(moved, SALTANT_RUN_AS="nobody")[0] == 0


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("SALTANT_DOCKER_HOST", "unix:///nowhere/docker.sock", "no Docker engine at unix:///nowhere/docker.sock"),
        ("SALTANT_DOCKER_HOST", "nonsense", "nonsense"),
        ("SALTANT_REGISTRY_AUTH", "/nowhere/config.json", "which cannot be read"),
        ("SALTANT_REGISTRY_AUTH", "/etc/hostname", "no JSON object"),
    ],
)
def test_an_engine_that_was_named_must_be_there(stopped: Path, variable: str, value: str, says: str) -> None:
    code, found = check(stopped, **{variable: value})
    assert (code, failures(found)) == (1, ["docker"])
    assert says in found["docker"]["says"]


def test_no_engine_is_nothing_wrong(stopped: Path, tmp_path: Path) -> None:
    code, found = check(stopped, DOCKER_HOST=f"unix://{tmp_path}/docker.sock", PATH=str(tmp_path))
    assert (code, failures(found)) == (0, [])
    assert found["docker"]["says"].startswith("no Docker containers here: There is no Docker engine")
    assert found["singularity"]["says"].startswith("no Singularity containers here: ")


def test_whose_files_containers_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    with obtain(Docker) as docker:
        settings = Settings(docker_host=docker.url)
        assert check_docker(settings).endswith(docker.url), "root can delete everything"
        # Of the user it is only the number that counts here, and a test's Python need not be readable by others.
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        assert "set SALTANT_CONTAINER_USER=self" in check_docker(settings)
        assert check_docker(replace(settings, container_user="self")).endswith(docker.url)


def test_a_key_that_opens_nothing(folder: Path) -> None:
    (folder / "admin-token").write_text("nonsense\n")
    code, found = check(folder)
    assert (code, failures(found)) == (1, ["admin-token"])


def test_who_looks_neither_hinders_a_start_nor_others_who_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from saltant.up import folder as module

    (tmp_path / "address.json").write_text(json.dumps({"pid": 1, "api_url": "http://localhost/api/"}))
    (tmp_path / "secret-key").write_text("key")
    looker = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(looker, fcntl.LOCK_SH)
    data = module.DataFolder(tmp_path)
    assert data.running() is None
    monkeypatch.setattr(time, "sleep", lambda _: fcntl.flock(looker, fcntl.LOCK_UN))
    data.open()
    try:
        data.publish_address("http://localhost/api/")
        other = module.DataFolder(tmp_path)
        assert other.running() is not None
        with pytest.raises(module.UpError, match="Another"):
            other.open()
    finally:
        data.close()
        os.close(looker)


def test_a_server_that_hangs(own_up: Up) -> None:
    assert own_up.process is not None
    own_up.process.send_signal(signal.SIGSTOP)
    try:
        code, found = check(own_up.data_dir)
    finally:
        own_up.process.send_signal(signal.SIGCONT)
    assert (code, failures(found)) == (1, ["server"])
    assert str(own_up.process.pid) in found["server"]["says"]
