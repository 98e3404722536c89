"""`saltant prune` on the folder of a `saltant up` that runs."""

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import requests

from tests.acceptance.system import SALTANT, START, Up


def prune(up: Up, *words: str, **environ: str) -> str:
    """What the command prints."""
    command = [*SALTANT, "prune", "--data-dir", str(up.data_dir), *words]
    done = subprocess.run(command, env=os.environ | environ, capture_output=True, text=True, timeout=START, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def let_pass(up: Up, uuid: str, days: int) -> None:
    """Have an instance ended so many days ago."""
    with closing(sqlite3.connect(up.data_dir / "saltant.sqlite3", timeout=30)) as database, database:
        changed = database.execute(
            "UPDATE tasks_taskinstance SET datetime_finished = datetime('now', ?) WHERE uuid = ?",
            [f"-{days} days", uuid.replace("-", "")],
        )
        assert changed.rowcount == 1


def read(up: Up, uuid: str, path: str) -> requests.Response:
    """What the server answers for a file of an instance."""
    url = f"{up.url}executabletaskinstances/{uuid}/{path}"
    return requests.get(url, headers={"Authorization": f"Token {up.token}"}, timeout=START)


def test_what_is_old_goes_when_it_is_said_so(tmp_path: Path) -> None:
    with Up(tmp_path / "data") as up:
        task_type = up.executable("/bin/sh -c 'echo to be seen'")
        old, new = up.run(task_type), up.run(task_type)
        for instance in (old, new):
            assert read(up, instance.uuid, "logs/stdout").content == b"to be seen\n"
        let_pass(up, old.uuid, 40)

        said = prune(up)
        assert said.startswith("Everything is kept for ever: neither SALTANT_KEEP_LOGS,")
        would = prune(up, SALTANT_KEEP_LOGS="30")
        assert would.startswith("Would remove logs of 1 instance that ended before ")
        assert would.endswith(": 1 file, 11 bytes.\nNothing was changed. --yes removes it.\n")
        assert prune(up, "--logs", "30").endswith(would.partition(" UTC")[2])
        assert read(up, old.uuid, "logs/stdout").content == b"to be seen\n"

        assert prune(up, "--logs", "30", "--yes").startswith("Removed logs of 1 instance")
        assert read(up, old.uuid, "logs/").json() == []
        assert read(up, old.uuid, "logs/stdout").content == b""
        assert read(up, new.uuid, "logs/stdout").content == b"to be seen\n"
        assert not list((up.data_dir / "files").rglob(old.uuid.replace("-", "")))

        assert prune(up, "--instances", "30", "--yes").startswith("Removed 1 instance that ended before ")
        assert read(up, old.uuid, "").status_code == 404
        assert read(up, new.uuid, "").status_code == 200
        audit = [*SALTANT, "audit", "--data-dir", str(up.data_dir)]
        entries = subprocess.run(audit, capture_output=True, text=True, timeout=START, check=True).stdout.splitlines()
        assert [line.split("\t")[2:4] for line in entries[-2:]] == [["delete", "logs"], ["delete", "instances"]]
        assert up.run(task_type).state == "successful"
