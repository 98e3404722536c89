"""`saltant user`, `token` and `audit` on PostgreSQL, where it is well and where it is not."""

import json
import os
import socket
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.system import SALTANT, START

HUSH = "hush-hush"
COMMANDS = [["user", "list"], ["token", "list"], ["audit"]]


def run(url: str, *words: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*SALTANT, *words],
        env=os.environ | {"SALTANT_DATABASE_URL": url} | environ,
        capture_output=True,
        text=True,
        timeout=START,
        check=False,
    )


def refused(url: str, *words: str) -> str:
    """The one sentence that a command says, which shows no password."""
    done = run(url, *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    assert HUSH not in done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def migrated(postgresql: Any) -> str:
    url: str = postgresql.new_database()
    assert run(url, "migrate").returncode == 0
    return url


def test_people_tokens_and_what_was_done(migrated: str) -> None:
    assert run(migrated, "user", "create", "ada", "--admin", "--no-password").returncode == 0
    key = run(migrated, "token", "create", "ada", "--name", "laptop").stdout.strip()
    assert key
    assert run(migrated, "user", "list").stdout == "ada\tadmin\tactive\t\n"
    users = json.loads(run(migrated, "user", "list", "--json").stdout)
    assert users == [{"username": "ada", "role": "admin", "state": "active", "email": ""}]
    [token] = json.loads(run(migrated, "token", "list", "--json").stdout)
    assert (token["user"], token["state"], token["expires"]) == ("ada", "valid", "never")
    listed = run(migrated, "token", "list").stdout
    assert "laptop" in listed
    assert key not in listed
    assert run(migrated, "token", "revoke", listed.partition("\t")[0]).returncode == 0
    assert run(migrated, "user", "limit", "ada", "3").returncode == 0
    done = [line.split("\t")[2] for line in run(migrated, "audit").stdout.splitlines()]
    assert done == ["create", "create", "revoke", "update"]
    assert "There is no user" in run(migrated, "user", "deactivate", "bob").stderr
    assert "no queue named 'x'" in run(migrated, "token", "create", "ada", "--role", "worker", "--queue", "x").stderr


@pytest.mark.parametrize("words", COMMANDS)
def test_a_database_that_cannot_be_used(postgresql: Any, words: list[str]) -> None:
    host = f"{postgresql.host}:{postgresql.port}"
    assert "password authentication failed" in refused(f"postgresql://saltant:{HUSH}@{host}/postgres", *words)
    assert "refused" in refused(f"postgresql://u:{HUSH}@127.0.0.1:1/x", *words)
    assert "run `saltant migrate`" in refused(postgresql.new_database(), *words)
    assert "write / as %2F" in refused(f"postgresql://u:a/{HUSH}@{host}/x", *words)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"postgresql://u:{HUSH}@127.0.0.1:{silent.getsockname()[1]}/x"
        assert "timeout" in refused(url, *words)


def test_no_such_database(postgresql: Any) -> None:
    assert 'database "nosuch" does not exist' in refused(postgresql.url_of("nosuch"), "user", "list")


def test_a_named_folder_goes_before_the_database(migrated: str, tmp_path: Path) -> None:
    done = run(migrated, "user", "list", "--data-dir", str(tmp_path / "none"))
    assert "is not a saltant folder yet" in done.stderr
