"""Moving everything over from another server, which is asked in version 1 alone."""

import json
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from saltant.exceptions import BadRequest
from tests.acceptance.system import SALTANT, START, Site, Up

MANY = 2100


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A server with a bit of everything, and instances for several pages."""
    with Up(tmp_path_factory.mktemp("source") / "data", "--concurrency", "2") as site:
        client = site.client
        box = client.container_task_types.create("box", "true", "image:1", "docker", logs_path="/l")
        echo = site.executable("echo", name="echo", required_arguments=["n"], description="Söme\nwords")
        old = client.task_whitelists.create("old")
        old.add(executable_task_types=[echo.id], container_task_types=[box.id])
        queue = client.task_queues.create("old", whitelists=[old.id], description="of old")
        client.executable_task_instances.create(echo.id, queue.id, {"n": [1, "ü", 10**30]}, name="ended")
        ended = client.executable_task_instances.list({"name": "ended"})[0].wait_until_finished(timeout=START)
        assert ended.state == "successful"
        client.container_task_instances.create(box.id, queue.id).terminate()
        queue.pause()
        many = [{"task_type_id": echo.id, "task_queue_id": queue.id, "arguments": {"n": n}} for n in range(MANY)]
        client.executable_task_instances.create_many(many)
        command = [*SALTANT, "user", "create", "ada", "--email", "ada@example.org", "--no-password"]
        subprocess.run([*command, "--data-dir", str(site.data_dir)], check=True, capture_output=True, timeout=START)
        yield site


class Target:
    """The folder of a `saltant up` to which things are brought, whether it runs or not."""

    def __init__(self, folder: Path, source: Site) -> None:
        self.folder = folder
        self.site = Up(folder)
        self._source = source

    def start(self, *options: str, token: str = "", url: str = "") -> "subprocess.Popen[str]":
        environ = self.site.environ | {"SALTANT_IMPORT_TOKEN": token or self._source.token}
        return subprocess.Popen(
            [*SALTANT, "import", url or self._source.url, "--data-dir", str(self.folder), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environ,
        )

    def run(self, *options: str, token: str = "", url: str = "", code: int = 0) -> tuple[Any, str]:
        """The summary, and what it said beside it."""
        process = self.start(*options, "--json", token=token, url=url)
        out, err = process.communicate(timeout=START)
        assert process.returncode == code, err
        assert "Traceback" not in err
        return (json.loads(out) if out else None), err

    def count(self, table: str) -> int:
        with sqlite3.connect(f"file:{self.folder / 'saltant.sqlite3'}?mode=ro", uri=True) as database:
            (count,) = database.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
            return int(count)


@pytest.fixture
def target(tmp_path: Path, source: Up) -> Iterator[Target]:
    made = Target(tmp_path / "target", source)
    with made.site:
        yield made


def bodies(site: Site, path: str) -> dict[str, Any]:
    """What a server says in version 1, by names, without what is its own."""
    import requests

    def get(path: str) -> list[Any]:
        headers = {"Authorization": f"Token {site.token}"}
        answer = requests.get(f"{site.url}{path}/?page_size=9999", headers=headers, timeout=START)
        found: list[Any] = answer.json()["results"]
        return found

    names = {path: {each["id"]: each["name"] for each in get(path)} for path in DEFINITIONS}
    of = {
        "task_type": names[path.replace("instances", "types")] if "instances" in path else {},
        "task_queue": names["taskqueues"],
        "whitelists": names["taskwhitelists"],
        "whitelisted_container_task_types": names["containertasktypes"],
        "whitelisted_executable_task_types": names["executabletasktypes"],
    }
    found = {}
    for each in get(path):
        for key, known in of.items():
            if isinstance(each.get(key), list):
                each[key] = sorted(known[id] for id in each[key])
            elif key in each:
                each[key] = known[each[key]]
        each.pop("id", None)
        found[each.get("uuid") or each.get("name") or each["username"]] = each
    return found


DEFINITIONS = ("executabletasktypes", "containertasktypes", "taskwhitelists", "taskqueues")
LISTS = ("executabletaskinstances", "containertaskinstances")


def test_killed_again_and_again_it_brings_everything_once(source: Up, target: Target) -> None:
    _, err = target.run(code=5)
    assert "task whitelists: 'default': is here and differs in whitelisted_executable_task_types." in err
    assert "Nothing was written" in err
    before = {path: bodies(target.site, path) for path in ("users", *DEFINITIONS)}
    dry, err = target.run("--dry-run", "--on-conflict=skip")
    assert dry["executable task instances"]["found"] == MANY + 1
    assert dry["task queues"] == {"found": 2, "brought": 1, "here": 1, "left_out": 0}
    assert {path: bodies(target.site, path) for path in before} == before

    options = ("--on-conflict=skip", "--unfinished=terminated")
    for word in ("Users come", "instances: ", "instances: "):
        process = target.start(*options)
        assert process.stderr is not None
        for line in process.stderr:
            if word in line:
                break
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=START)
    assert 1000 < target.count("tasks_taskinstance") < MANY
    summary, err = target.run(*options)
    assert summary["users"] == {"found": 2, "brought": 0, "here": 2, "left_out": 0}
    counts = summary["executable task instances"]
    assert (counts["found"], counts["brought"] + counts["here"]) == (MANY + 1, MANY + 1)
    assert f"executable task instances: {MANY + 1} of {MANY + 1}" in err
    assert target.count("tasks_taskinstance") == MANY + 2
    summary, _ = target.run(*options)
    assert summary["executable task instances"] == {"found": MANY + 1, "brought": 0, "here": MANY + 1, "left_out": 0}
    assert not list((target.folder / "imports").glob("*.json"))

    for path in ("users", *DEFINITIONS):
        here = bodies(target.site, path)
        for name, there in bodies(source, path).items():
            assert name == "default" or here[name] == there
    for path in LISTS:
        there, here = bodies(source, path), bodies(target.site, path)
        assert list(here) == list(there)
        for uuid, each in there.items():
            if each["state"] == "published":
                assert here[uuid].pop("datetime_finished") is not None
                assert here[uuid] == {key: each[key] for key in here[uuid]} | {"state": "terminated"}
            else:
                assert here[uuid] == each
    ended = target.site.client.executable_task_instances.list({"name": "ended"})[0]
    assert (ended.reason, ended.message) == ("reported", f"It ran on {source.url}.")
    assert ended.command is None
    with pytest.raises(BadRequest, match="what it ran is not known"):
        ended.clone(as_was=True)
    assert ended.clone().wait_until_finished(timeout=START).state == "successful"


def test_conflicts_and_what_cannot_be_read(source: Up, target: Target) -> None:
    target.site.executable("something else", name="echo")
    summary, err = target.run("--on-conflict=rename")
    assert "executable task types: 'echo': is here and differs in" in err
    assert "It becomes 'echo-imported'." in err
    assert summary["executable task instances"] == {"found": MANY + 1, "brought": 1, "here": 0, "left_out": MANY}
    client = target.site.client
    brought = client.executable_task_types.get(name="echo-imported")
    assert brought.command_to_run == "echo"
    assert client.executable_task_instances.list({"name": "ended"})[0].task_type == brought.id
    assert client.task_whitelists.get(name="old").whitelisted_executable_task_types == [brought.id]
    assert client.task_queues.get(name="old").whitelists == [client.task_whitelists.get(name="old").id]
    again, _ = target.run("--on-conflict=rename")
    assert [each["brought"] for each in again.values()] == [0] * 7
    assert {user.username for user in client.users.list()} == {"admin", "ada"}

    _, err = target.run(token="saltant_wrong", code=4)
    assert "Invalid token" in err
    assert "saltant_wrong" not in err
    _, err = target.run(url="http://127.0.0.1:1/api/", code=6)
    assert "127.0.0.1:1" in err
    target.run(url="no URL", code=2)
    process = target.start(token=" ")
    _, err = process.communicate(timeout=START)
    assert (process.returncode, "SALTANT_IMPORT_TOKEN" in err) == (2, True)
