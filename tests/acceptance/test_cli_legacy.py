"""`saltant-cli` as its users call it, against a real `saltant up`: every command, its printed forms, its mistakes."""

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from saltant.cli import resolve
from saltant.cli.failures import Failure
from tests.acceptance.system import Up

PROGRAM = str(Path(sys.executable).with_name("saltant-cli"))
MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00"
UNKNOWN = "0b0c1122-3344-5566-7788-99aabbccddee"


class Former:
    """A user's machine with a configuration file of `saltant-cli`."""

    def __init__(self, up: Up, home: Path) -> None:
        self.up = up
        self.environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("SALTANT_", "XDG_", "COLUMNS", "NO_COLOR"))
        } | {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config")}
        self.config = home / "config" / "saltant-cli" / "config.yaml"

    def run(
        self, *words: str, stdin: str = "", environ: dict[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [PROGRAM, *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            env=self.environ | (environ or {}),
        )

    def ok(self, *words: str) -> str:
        run = self.run(*words)
        assert (run.returncode, run.stderr) == (0, "")
        return run.stdout

    def fields(self, *words: str) -> dict[str, str]:
        """What it prints of one thing."""
        lines = (line.partition(": ") for line in self.ok(*words).splitlines())
        return {name: value for name, _, value in lines}

    def fails(self, code: int, *words: str, environ: dict[str, str] | None = None) -> str:
        """What it says as it fails."""
        run = self.run(*words, environ=environ)
        assert (run.returncode, run.stdout) == (code, ""), run.stderr
        assert "Traceback" not in run.stderr
        assert self.up.token not in run.stderr
        return run.stderr


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Former]:
    folder = tmp_path_factory.mktemp("former")
    with Up(folder / "data") as up:
        former = Former(up, folder)
        setup = former.run("--setup", stdin=f"{up.url}\n{up.token}\n")
        assert setup.returncode == 0, setup.stderr
        yield former


def name() -> str:
    return f"n-{uuid.uuid4()}"


@pytest.fixture(scope="module")
def greeting(cli: Former) -> dict[str, str]:
    """A type on the whitelist `default`."""
    made = cli.fields(
        *("executable-task-types", "create", "--name", name(), "--command-to-run", "echo hello"),
        *("--json-required-arguments", '["who"]', "--json-required-arguments-default-values", '{"who": "world"}'),
    )
    cli.up.client.task_whitelists.add(1, executable_task_types=[int(made["id"])])
    return made


def submitted(cli: Former, greeting: dict[str, str], *words: str) -> dict[str, str]:
    start = ("executable-task-instances", "create", "--task-type", greeting["id"], "--task-queue", "1")
    return cli.fields(*start, *words)


def test_setup_writes_a_file_for_its_owner_alone(cli: Former) -> None:
    assert cli.config.stat().st_mode & 0o777 == 0o600
    assert yaml.safe_load(cli.config.read_text()) == {
        "saltant-api-url": cli.up.url,
        "saltant-auth-token": cli.up.token,
    }


def test_one_instance_as_it_always_looked(cli: Former, greeting: dict[str, str]) -> None:
    made = submitted(cli, greeting, "--name", "first", "--json-arguments", '{"who": "you"}')
    ended = cli.ok("executable-task-instances", "wait", "--refresh-period", "0.1", made["uuid"])
    assert re.fullmatch(
        rf"uuid: {made['uuid']}\nname: first\nstate: successful\nuser: admin\ntask_queue: 1\ntask_type: "
        rf"{greeting['id']}\ndatetime_created: {MOMENT}\ndatetime_finished: {MOMENT}\narguments: {{'who': 'you'}}\n",
        ended,
    )
    assert cli.ok("executable-task-instances", "get", made["uuid"]) == ended
    assert cli.ok("executable-task-instances", "get", made["uuid"][:8].upper()) == ended
    nan = ("executable-task-instances", "wait", "--refresh-period", "nan", made["uuid"])
    assert "refresh_period" in cli.fails(2, *nan)
    clone = cli.fields("executable-task-instances", "clone", made["uuid"])
    assert (clone["name"], clone["uuid"] != made["uuid"]) == ("first", True)
    assert cli.fields("executable-task-instances", "wait", clone["uuid"])["state"] == "successful"


def test_a_wait_for_what_fails_exits_0(cli: Former) -> None:
    bad = cli.fields("executable-task-types", "create", "--name", name(), "--command-to-run", "/bin/false")
    cli.up.client.task_whitelists.add(1, executable_task_types=[int(bad["id"])])
    made = submitted(cli, bad)
    assert cli.fields("executable-task-instances", "wait", made["uuid"])["state"] == "failed"


def test_terminate(cli: Former) -> None:
    slow = cli.fields("executable-task-types", "create", "--name", name(), "--command-to-run", "/bin/sleep 600")
    cli.up.client.task_whitelists.add(1, executable_task_types=[int(slow["id"])])
    made = submitted(cli, slow)
    assert cli.fields("executable-task-instances", "terminate", made["uuid"])["uuid"] == made["uuid"]
    assert cli.fields("executable-task-instances", "wait", made["uuid"])["state"] == "terminated"


def test_lists_are_plain_tables_under_a_header_line(cli: Former, greeting: dict[str, str], tmp_path: Path) -> None:
    word = name()
    made = [submitted(cli, greeting, "--name", f"{word} {number}") for number in range(2)]
    (tmp_path / "filters").write_text(json.dumps({"name__startswith": word}))
    words = ("executable-task-instances", "list", "--filters-file", str(tmp_path / "filters"))
    for each in made:
        cli.ok("executable-task-instances", "wait", each["uuid"])
    header, *rows = cli.ok(*words).splitlines()
    titles = ["uuid", "state", "user", "task_queue", "task_type", "datetime_created", "name"]
    assert header.split() == titles
    starts = [header.index(title) for title in titles]
    for row, each in zip(rows, reversed(made), strict=True):
        assert [row[start:].partition("  ")[0] for start in starts] == [
            each["uuid"],
            "successful",
            "admin",
            "1",
            greeting["id"],
            each["datetime_created"],
            each["name"],
        ]
    assert cli.ok(*words, "--filters", '{"state": "failed"}').splitlines() == ["  ".join(titles)]
    assert cli.ok(*words, "--quiet").split() == [each["uuid"] for each in reversed(made)]
    listed = json.loads(cli.ok(*words, "--json"))
    assert [each["arguments"] for each in listed] == [{"who": "world"}] * 2
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", listed[0]["datetime_finished"])


@pytest.mark.parametrize(
    ("words", "header"),
    [
        ("executable-task-types", "id name user description"),
        ("container-task-types", "id name user description container_image container_type"),
        ("container-task-instances", "uuid state user task_queue task_type datetime_created name"),
        ("task-queues", "id user name private active description"),
        ("task-whitelists", "id user name description"),
        ("users", "username email"),
    ],
)
def test_what_lists_tell(cli: Former, words: str, header: str) -> None:
    assert cli.ok(words, "list").splitlines()[0].split() == header.split()


def test_types_are_created_and_put_with_the_options_of_old(cli: Former) -> None:
    word = name()
    words = ["--name", word, "--command-to-run", "true", "--container-image", "ubuntu:24.04"]
    words += ["--container-type", "docker"]
    made = cli.fields("container-task-types", "create", *words, "--description", "keep me")
    more = ["--logs-path", "/logs", "--results-path", "/out", "--json-environment-variables", '["HOME"]']
    more += ["--json-required-arguments", "[]", "--json-required-arguments-default-values", "{}"]
    put = cli.fields("container-task-types", "put", made["id"], *words, *more)
    assert (put["id"], put["logs_path"], put["environment_variables"]) == (made["id"], "/logs", "['HOME']")
    assert put["description"] == "keep me"
    assert cli.fields("container-task-types", "get", word) == put
    assert "--results-path" in cli.fails(2, "container-task-types", "put", made["id"], *words, *more[:2])


def test_an_executable_type_is_put(cli: Former) -> None:
    words = ["--name", name(), "--command-to-run", "/bin/true"]
    made = cli.fields("executable-task-types", "create", *words)
    # Limits, which the old tree knows nothing of, stay as well.
    limited = cli.up.client.executable_task_types.get(int(made["id"]))
    limited.timeout = 60.0
    limited.put()
    more = ["--json-file-option", "--file", "--json-environment-variables", "[]"]
    more += ["--json-required-arguments", '["a"]', "--json-required-arguments-default-values", '{"a": 1}']
    put = cli.fields("executable-task-types", "put", made["id"], *words, *more)
    assert (put["json_file_option"], put["required_arguments_default_values"]) == ("--file", "{'a': 1}")
    assert limited.sync().timeout == 60.0


def test_queues_and_whitelists_need_no_lists(cli: Former, greeting: dict[str, str]) -> None:
    listed = cli.fields("task-whitelists", "create", "--name", name())
    assert listed["whitelisted_executable_task_types"] == "[]"
    queue = cli.fields("task-queues", "create", "--name", name())
    assert (queue["private"], queue["active"], queue["whitelists"]) == ("False", "True", "[]")
    types = ["--whitelisted-container-task-types", "[]", "--whitelisted-executable-task-types"]
    words = ["--name", listed["name"], "--description", "d", *types, json.dumps([greeting["name"]])]
    put = cli.fields("task-whitelists", "put", listed["id"], *words)
    assert put["whitelisted_executable_task_types"] == f"[{greeting['id']}]"
    words = ["--name", queue["name"], "--description", "", "--private", "True", "--runs-executable-tasks", "False"]
    words += ["--runs-docker-container-tasks", "true", "--runs-singularity-container-tasks", "no", "--active", "1"]
    put = cli.fields("task-queues", "put", queue["name"], *words, "--whitelists", f"[{listed['id']}]")
    assert (put["private"], put["runs_executable_tasks"], put["whitelists"]) == ("True", "False", f"[{listed['id']}]")


def test_a_name_in_both_classes_says_which(cli: Former) -> None:
    word = name()
    client = cli.up.client
    executable = client.executable_task_types.create(word, "true")
    with pytest.raises(Failure, match="no executable task type '999999'"):
        resolve.task_type(client, "executable:999999")
    assert resolve.task_type(client, word) == executable
    container = client.container_task_types.create(word, "true", "ubuntu:24.04", "docker")
    with pytest.raises(Failure, match=f"say executable:{word} or container:{word}") as caught:
        resolve.task_type(client, word)
    assert caught.value.exit_code == 2
    assert resolve.task_type(client, f"container:{word}") == container
    assert resolve.task_type(client, word, "container") == container
    assert (resolve.class_of(executable), resolve.class_of(container)) == ("executable", "container")
    assert resolve.task_type(client, str(container.id), "container") == container


def test_users(cli: Former) -> None:
    assert cli.ok("users", "get", "admin").splitlines()[0] == "username: admin"


@pytest.mark.parametrize(
    ("code", "words", "said"),
    [
        (3, ["executable-task-types", "get", "999999"], "There is no executable task type '999999'."),
        (3, ["task-queues", "get", "defualt"], "Did you mean 'default'?"),
        (3, ["container-task-instances", "get", UNKNOWN], f"There is no container task instance {UNKNOWN}."),
        (3, ["executable-task-instances", "terminate", UNKNOWN], "There is no"),
        (3, ["executable-task-instances", "wait", UNKNOWN], "There is no"),
        (3, ["users", "get", "nobody"], "There is no user 'nobody'."),
        (2, ["users", "get", ".."], "names no resource"),
        (2, ["executable-task-instances", "get", "xyz"], "is no UUID"),
        (2, ["task-queues", "list", "--filters", "{bad"], "it is not JSON"),
        (2, ["task-queues", "list", "--filters", "[" * 100000], "it is not JSON (nested too deeply)"),
        (2, ["task-queues", "list", "--filters", "[]"], "it must be a JSON object"),
        (2, ["task-queues", "list", "--filters-file", "/no/such/file"], "cannot be read: No such file"),
        (2, ["task-queues", "create", "--name", "q", "--whitelists", "1"], "it must be a JSON list"),
        (
            3,
            ["executable-task-instances", "wait", UNKNOWN[:13]],
            f"instance {UNKNOWN[:13]}.",
        ),
        (5, ["task-queues", "create", "--name", "no spaces"], "The server refuses it: name: "),
        (5, ["executable-task-instances", "create", "--task-type", "999999", "--task-queue", "1"], "refuses it"),
    ],
)
def test_mistakes_are_told_with_exit_codes(cli: Former, code: int, words: list[str], said: str) -> None:
    assert said in cli.fails(code, *words)


def test_the_server_is_found(cli: Former, tmp_path: Path) -> None:
    """The environment goes before the file, and what --config-path names before both."""
    other = {"SALTANT_API_URL": "http://127.0.0.1:1/api/", "SALTANT_AUTH_TOKEN": "x"}
    assert "127.0.0.1:1" in cli.fails(6, "users", "list", environ=other)
    run = cli.run("-c", str(cli.config), "users", "get", "admin", environ=other)
    assert run.returncode == 0, run.stderr
    wrong = cli.run("users", "list", environ={"SALTANT_API_URL": cli.up.url, "SALTANT_AUTH_TOKEN": "wrong"})
    assert wrong.returncode == 4
    assert "does not accept the token" in wrong.stderr
    nothing = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert "--setup" in cli.fails(2, "users", "list", environ=nothing)
    for text, said in [("{", "is not YAML"), ("a: 1", "has no saltant-api-url"), ("- 1", "has no saltant-api-url")]:
        (tmp_path / "config.yaml").write_text(text)
        assert said in cli.fails(2, "-c", str(tmp_path / "config.yaml"), "users", "list")
    assert "cannot be read" in cli.fails(2, "-c", str(tmp_path / "none.yaml"), "users", "list")
    assert "base URL" in cli.fails(3, "users", "list", environ=other | {"SALTANT_API_URL": cli.up.url + "x/"})


def test_names_steer_no_terminal_and_head_ends_it_silently(cli: Former, greeting: dict[str, str]) -> None:
    made = submitted(cli, greeting, "--name", "a\x1b[31m\u202eb\nuuid: x")
    told = cli.ok("executable-task-instances", "get", made["uuid"])
    assert r"name: a\x1b[31m\u202eb\nuuid: x" in told.splitlines()
    command = f"{PROGRAM} executable-task-instances list --json | head -c 1"
    piped = subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, env=cli.environ, timeout=60
    )
    assert (piped.stdout, piped.stderr) == ("[", "")


def test_saltant_has_the_tree_too(cli: Former) -> None:
    environ = cli.environ | {"SALTANT_API_URL": cli.up.url, "SALTANT_AUTH_TOKEN": cli.up.token}
    program = PROGRAM.removesuffix("-cli")
    words = [program, "task-queues", "get", "default", "--json"]
    told = subprocess.run(words, capture_output=True, text=True, env=environ, timeout=60)
    assert (told.returncode, json.loads(told.stdout)["name"]) == (0, "default")
    shown = subprocess.run([program, "--help"], capture_output=True, text=True, env=environ, timeout=60).stdout
    assert "container-task-instances" in shown


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_completion_is_installed_once(cli: Former, shell: str, tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config"), "ZDOTDIR": "", "SHELL": "/bin/sh"}
    for _ in range(2):
        run = cli.run("completion", "install", shell, environ=environ)
        assert run.returncode == 0, run.stderr
    (written,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written.read_text().count("_SALTANT_CLI_COMPLETE") in (1, 2, 3)
    if shutil.which(shell) and shell != "powershell":
        checked = subprocess.run([shell, "-n", str(written)], capture_output=True, text=True, timeout=60)
        assert (checked.returncode, checked.stderr) == (0, "")
    assert "Name your shell" in cli.fails(2, "completion", "install", environ=environ)
