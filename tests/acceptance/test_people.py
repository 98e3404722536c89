"""`saltant user` and `saltant token`, and what they open."""

import contextlib
import getpass
import json
import sqlite3
import subprocess
import uuid
from pathlib import Path

import pytest
import requests

from saltant import AuthenticationError, Client
from tests.acceptance.system import SALTANT, Up

PASSWORD = "correct horse battery staple"


def saltant(up: Up, *words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    command = [*SALTANT, *words, "--data-dir", str(up.data_dir)]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60)


def new_user(up: Up) -> str:
    name = f"user-{uuid.uuid4()}"
    made = saltant(up, "user", "create", name, "--password-file", "-", stdin=PASSWORD + "\n")
    assert made.returncode == 0, made.stderr
    return name


def jwt(up: Up, name: str, password: str = PASSWORD) -> requests.Response:
    return requests.post(f"{up.url}token/", {"username": name, "password": password}, timeout=60)


def test_a_user_gets_a_jwt_with_a_password_and_refreshes_it(up: Up) -> None:
    answer = jwt(up, new_user(up)).json()
    assert set(answer) == {"refresh", "access"}
    headers = {"Authorization": f"Bearer {answer['access']}"}
    assert requests.get(f"{up.url}users", headers=headers, timeout=60).status_code == 200
    fresh = requests.post(f"{up.url}token/refresh", {"refresh": answer["refresh"]}, timeout=60).json()
    headers = {"Authorization": f"Bearer {fresh['access']}"}
    assert requests.get(f"{up.url}users", headers=headers, timeout=60).status_code == 200
    assert jwt(up, "admin", "wrong").status_code == 401


def test_a_token_opens_until_it_is_revoked(up: Up) -> None:
    name = new_user(up)
    key = saltant(up, "token", "create", name, "--name", "laptop", "--expires", "1").stdout.strip()
    assert Client(up.url, key).users.get(name).username == name
    (line,) = saltant(up, "token", "list", name).stdout.splitlines()
    assert key not in line
    number = line.split("\t")[0]
    assert saltant(up, "token", "revoke", number).returncode == 0
    with pytest.raises(AuthenticationError):
        Client(up.url, key)
    assert "revoked" in saltant(up, "token", "list", name).stdout


def test_a_deactivated_user_is_let_in_by_nothing(up: Up) -> None:
    name = new_user(up)
    key = saltant(up, "token", "create", name).stdout.strip()
    access = jwt(up, name).json()["access"]
    assert saltant(up, "user", "deactivate", name).returncode == 0
    for headers in ({"Authorization": f"Token {key}"}, {"Authorization": f"Bearer {access}"}):
        answer = requests.get(f"{up.url}users/", headers=headers, timeout=60)
        assert (answer.status_code, answer.json()) == (401, {"detail": "Invalid token."})
    assert jwt(up, name).status_code == 401
    assert f"{name}\tuser\tinactive\t" in saltant(up, "user", "list").stdout


def test_a_user_is_let_in_again(up: Up) -> None:
    name = new_user(up)
    key = saltant(up, "token", "create", name).stdout.strip()
    for command in ("deactivate", "activate", "activate"):
        assert saltant(up, "user", command, name).returncode == 0
    assert Client(up.url, key).users.get(name).username == name
    assert jwt(up, name).status_code == 200
    entries = [json.loads(line) for line in saltant(up, "audit", "--json").stdout.splitlines()]
    assert [each["action"] for each in entries if each["object_name"] == name] == ["create", "deactivate", "activate"]


def test_a_password_file_that_is_no_text(up: Up, tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(b"\xff\xfe\n")
    failed = saltant(up, "user", "password", "admin", "--password-file", str(tmp_path / "password"))
    assert (failed.returncode, failed.stderr) == (1, "Error: The password file is not text in UTF-8.\n")


def test_no_name_looks_like_a_row(up: Up) -> None:
    name = new_user(up)
    assert saltant(up, "token", "create", name, "--name", "a\n1\tadmin\tuser\x1b").returncode == 0
    (line,) = saltant(up, "token", "list", name).stdout.splitlines()
    assert line.split("\t")[5:] == [r"a\n1\tadmin\tuser\x1b"]
    with contextlib.closing(sqlite3.connect(up.data_dir / "saltant.sqlite3", timeout=60)) as database, database:
        database.execute("UPDATE accounts_user SET email = ? WHERE username = ?", ("a\nroot\tadmin\tactive\t", name))
    lines = saltant(up, "user", "list").stdout.splitlines()
    assert not [line for line in lines if line.startswith("root\t")]
    assert rf"{name}	user	active	a\nroot\tadmin\tactive\t" in lines


def test_what_a_first_start_makes_is_written_down(up: Up) -> None:
    entries = [json.loads(line) for line in saltant(up, "audit", "--json", "--limit", "1000000").stdout.splitlines()]
    made = [(each["action"], each["object_kind"], each["object_name"]) for each in entries[:4]]
    assert made[:3] == [
        ("create", "user", "admin"),
        ("create", "task whitelist", "default"),
        ("create", "task queue", "default"),
    ]
    assert made[3][:2] == ("create", "token")
    assert {each["actor"] for each in entries[:4]} == {"saltant"}


def test_a_workers_token_opens_nothing_else(up: Up) -> None:
    key = saltant(up, "token", "create", "admin", "--role", "worker", "--queue", "default").stdout.strip()
    answer = requests.get(f"{up.url}users/", headers={"Authorization": f"Token {key}"}, timeout=60)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["user", "create", "admin", "--no-password"], "already exists"),
        (["user", "create", "no spaces", "--no-password"], "valid username"),
        (["user", "create", "weak", "--password-file", "-"], "too short"),
        (["user", "create", "typed"], "--password-file"),
        (["user", "deactivate", "nobody"], "no user named 'nobody'"),
        (["token", "create", "nobody"], "no user named 'nobody'"),
        (["token", "create", "admin", "--role", "worker"], "--queue"),
        (["token", "create", "admin", "--role", "worker", "--queue", "none"], "no queue named 'none'"),
        (["token", "create", "admin", "--expires", "1e99"], "--expires"),
        (["token", "create", "admin", "--expires", "nan"], "--expires"),
        (["token", "revoke", "999999"], "no token 999999"),
        (["token", "revoke", "9" * 30], "no token 999999"),
        (["token", "create", "admin", "--name", "x" * 300], "100 characters at most"),
        (["token", "create", "admin", "--name", "\udcff"], "must be text"),
        (["token", "create", "\udcff"], "no user named"),
        (["user", "activate", "nobody"], "no user named 'nobody'"),
        (["user", "deactivate", "admin"], "no active admin would be left"),
        (["audit", "--limit", "9" * 20], "--limit"),
    ],
)
def test_mistakes_are_told(up: Up, words: list[str], said: str) -> None:
    failed = saltant(up, *words, stdin="x\n")
    assert failed.returncode in (1, 2)
    assert said in failed.stderr
    assert "Traceback" not in failed.stderr


def test_who_did_what_is_written_down(up: Up) -> None:
    name = new_user(up)
    key = saltant(up, "token", "create", name, "--name", "laptop").stdout.strip()
    job = up.client.executable_task_instances.create(
        up.executable("/bin/sleep 600").id, up.client.task_queues.get(name="default").id
    )
    job.terminate()
    assert saltant(up, "user", "deactivate", name).returncode == 0
    entries = [json.loads(line) for line in saltant(up, "audit", "--json").stdout.splitlines()]
    by = f"{getpass.getuser()} (command line)"
    of_user = [(each["actor"], each["action"]) for each in entries if each["object_name"] == name]
    assert of_user == [(by, "create"), (by, "deactivate")]
    [made] = [each for each in entries if each["details"].get("user") == name]
    assert (made["actor"], made["action"], made["object_kind"], made["details"]["name"]) == (
        by,
        "create",
        "token",
        "laptop",
    )
    [ended] = [each for each in entries if each["object_id"] == job.uuid]
    assert (ended["actor"], ended["action"]) == ("admin", "terminate")
    text = saltant(up, "audit").stdout
    assert key not in text + json.dumps(entries)
    [newest] = saltant(up, "audit", "--limit", "1").stdout.splitlines()
    assert newest == text.splitlines()[-1]
    assert newest.split("\t")[1:4] == [by, "deactivate", "user"]
