"""`saltant apply` and `saltant export`, run as people do, against a real server."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from tests.acceptance.system import SALTANT, Up

DOCUMENT = (Path(__file__).parents[2] / "docs/apply.md").read_text()
EXAMPLE = re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.DOTALL)[0]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with Up(tmp_path_factory.mktemp("apply") / "data") as system:
        yield system


@pytest.fixture(scope="module")
def bob(site: Up) -> str:
    """The token of somebody who is no admin."""
    for words in (["user", "create", "bob", "--no-password"], ["token", "create", "bob"]):
        done = subprocess.run(
            [*SALTANT, *words, "--data-dir", str(site.data_dir)], capture_output=True, text=True, check=True
        )
    return done.stdout.strip()


def environ(site: Up, token: str = "") -> dict[str, str]:
    return os.environ | {"SALTANT_API_URL": site.url, "SALTANT_AUTH_TOKEN": token or site.token}


@pytest.fixture
def run(site: Up, tmp_path: Path) -> Run:
    def run(*words: str, text: str | None = None, token: str = "") -> "subprocess.CompletedProcess[str]":
        if text is not None:
            (tmp_path / "saltant.yaml").write_text(text)
        return subprocess.run(
            [*SALTANT, *words],
            capture_output=True,
            text=True,
            env=environ(site, token),
            cwd=tmp_path,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )

    return run


APPLY = ("apply", "-f", "saltant.yaml")


def test_the_example_of_the_document(run: Run, site: Up) -> None:
    shown = run(*APPLY, "--dry-run", text=EXAMPLE)
    assert (shown.returncode, shown.stderr) == (0, "5 to create; nothing was done.\n")
    assert shown.stdout.startswith("--- /dev/null\n+++ saltant.yaml/executable_task_types/count-words\n@@")
    assert "+    container_image: registry.example.org/align:3.2\n" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert not site.client.task_queues.list({"name": "genetics"})

    done = run(*APPLY, "--yes")
    assert (done.returncode, done.stdout) == (0, shown.stdout)
    order = [
        "executable task type 'count-words'",
        "container task type 'align'",
        "task whitelist",
        "task queue",
        "schedule",
    ]
    assert [line.startswith(f"Created {what}") for line, what in zip(done.stderr.splitlines(), order, strict=True)]
    queue = site.client.task_queues.get(name="genetics")
    whitelist = site.client.task_whitelists.get(name="genetics")
    words = site.client.executable_task_types.get(name="count-words")
    assert (queue.whitelists, queue.max_running) == ([whitelist.id], 8)
    assert (whitelist.whitelisted_executable_task_types, words.timeout, words.memory) == ([words.id], 600, 2**30)
    nightly = site.client.schedules.get(name="count-every-night")
    assert (nightly.task_type, nightly.task_queue, nightly.timezone) == (words.id, queue.id, "Europe/Berlin")

    again = run(*APPLY)
    assert (again.returncode, again.stdout) == (0, "Nothing to do: the server is as the file says.\n")

    changed = (
        EXAMPLE.replace("timeout: 600 ", "timeout: null ").replace("[align]", "[]").replace("running: 8", "running: 9")
    )
    done = run(*APPLY, "--yes", text=changed)
    assert done.returncode == 0, done.stderr
    assert "-    timeout: 600\n+    timeout: null\n" in done.stdout
    assert "-    - align\n" in done.stdout
    assert run(*APPLY, text=changed).stdout.startswith("Nothing to do")
    assert site.client.task_whitelists.get(name="genetics").whitelisted_container_task_types == []
    site.client.task_queues.patch(queue.id, paused=True)
    assert run(*APPLY).stdout.startswith("Nothing to do"), "a key that the file does not say stays as it is"


def test_what_is_exported_is_what_is_there(run: Run, site: Up) -> None:
    odd = {"description": "a\nb: ü #", "environment_variables": ["NO", "1"], "required_arguments": ["n", "yes"]}
    values = {"n": 1.5, "yes": {"deep": [None, True, "2001-01-01"]}}
    types = site.client.executable_task_types
    made = types.create("no", "echo '#'  'a: b'", **odd, required_arguments_default_values=values)  # type: ignore[arg-type]
    exported = run("export", "-o", "saltant.yaml")
    assert exported.returncode == 0
    assert run(*APPLY).stdout == "Nothing to do: the server is as the file says.\n"
    types.put(made.id, "no", "", "true", None, None, None, None)
    assert run(*APPLY, "--yes").returncode == 0
    made.sync()
    assert (made.command_to_run, made.required_arguments_default_values) == ("echo '#'  'a: b'", values)
    assert made.description == odd["description"]

    one = run("export", "--type", "no").stdout
    assert "task_queues" not in one
    assert run(*APPLY, text=one).stdout.startswith("Nothing to do")
    missing = run("export", "--type", "nothing-such")
    assert (missing.returncode, missing.stderr) == (3, "Error: There is no task type 'nothing-such'.\n")


MISTAKES = """\
executable_task_types:
  one:
    comand_to_run: echo
    command_to_run: yes
    timeout: soon
  one: {}
task_queue: {}
task_queues:
  q: {whitelists: [1], max_running: true}
"""


SCHEDULES = """
executable_task_types: {clocked: {command_to_run: "true"}}
container_task_types: {boxed: {command_to_run: "true", container_image: a, container_type: docker}}
task_whitelists: {clock: {executable_task_types: [clocked], container_task_types: [boxed]}}
task_queues: {clock: {whitelists: [clock]}}
schedules:
  hourly:
    executable_task_type: clocked
    task_queue: clock
    cron: "0  * * * *"
    overlap: wait
    arguments: {n: 1.0}
    labels: {by: clock}
    limits: {timeout: 600, max_attempts: 2}
"""


def test_schedules(run: Run, site: Up) -> None:
    done = run(*APPLY, "--yes", text=SCHEDULES)
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith("Created schedule 'hourly'.\n")
    made = site.client.schedules.get(name="hourly")
    assert (made.cron, made.overlap, made.arguments, made.labels) == ("0 * * * *", "wait", {"n": 1.0}, {"by": "clock"})
    assert made.limits == {"timeout": 600, "max_attempts": 2}
    assert made.next_time is not None
    assert run(*APPLY, text=SCHEDULES).stdout == "Nothing to do: the server is as the file says.\n"

    changed = SCHEDULES.replace("executable_task_type: clocked", "container_task_type: boxed").replace("wait", "skip")
    done = run(*APPLY, "--yes", text=changed)
    assert (done.returncode, done.stderr) == (0, "Changed schedule 'hourly'.\n")
    made.sync()
    boxed = site.client.container_task_types.get(name="boxed")
    assert (made.task_type, made.task_class, made.overlap) == (boxed.id, "container", "skip")
    site.client.schedules.pause(made.id)
    assert run(*APPLY, text=changed).stdout.startswith("Nothing to do"), "what the file does not say stays"

    exported = json.loads(run("export", "--json").stdout)
    assert exported["schedules"]["hourly"] == {
        "container_task_type": "boxed",
        "task_queue": "clock",
        "cron": "0 * * * *",
        "arguments": {"n": 1.0},
        "labels": {"by": "clock"},
        "limits": {"timeout": 600, "max_attempts": 2},
        "active": False,
    }
    made.delete()
    run("export", "-o", "saltant.yaml")
    assert run(*APPLY).stdout.startswith("Nothing to do")

    refused = run(*APPLY, "--yes", text=SCHEDULES.replace("0  * * * *", "0 0 30 2 *"))
    assert refused.returncode == 5
    assert refused.stderr.startswith("Error: schedule 'hourly' failed. ")
    assert "there is no such day" in refused.stderr


def test_mistakes_are_told_with_their_lines(run: Run, site: Up) -> None:
    done = run(*APPLY, "--yes", text=MISTAKES)
    assert done.returncode == 2
    assert done.stderr.removeprefix("Error: ").splitlines() == [
        "saltant.yaml:3: 'comand_to_run' is no key of an executable task type. Did you mean 'command_to_run'?",
        "saltant.yaml:4: command_to_run of executable task type 'one' must be text: put it in quotes.",
        "saltant.yaml:5: timeout of executable task type 'one' must be a number.",
        "saltant.yaml:6: 'one' is there twice.",
        "saltant.yaml:7: 'task_queue' is no section. Did you mean 'task_queues'?",
        "saltant.yaml:9: max_running of task queue 'q' must be a whole number.",
        "saltant.yaml:9: whitelists of task queue 'q' must be a list of names (put numbers and words such as yes in"
        " quotes).",
    ]
    later = "task_queues:\n  late: {whitelists: [defalt]}\nexecutable_task_types:\n  late:\n    description: d\n"
    done = run(*APPLY, "--yes", text=later)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "Error: saltant.yaml:2: There is no task whitelist 'defalt'. Did you mean 'default'?",
        "saltant.yaml:4: executable task type 'late' is new and needs command_to_run.",
    ]
    assert not site.client.task_queues.list({"name": "late"})
    clocks = """
executable_task_types: {late: {command_to_run: "true"}}
schedules:
  one: {cron: 5, labels: {n: 1}}
  two:
    executable_task_type: late
    container_task_type: late
"""
    assert run(*APPLY, "--yes", text=clocks).stderr.removeprefix("Error: ").splitlines() == [
        "saltant.yaml:4: cron of schedule 'one' must be text: put it in quotes.",
        "saltant.yaml:4: labels of schedule 'one' must be names with texts (put numbers and words such as yes in"
        " quotes).",
        "saltant.yaml:7: schedule 'two' has both executable_task_type and container_task_type.",
    ]
    clocks = "schedules:\n  one: {overlap: skip}\n  two: {executable_task_type: lat, task_queue: defalt, cron: x}\n"
    assert run(*APPLY, "--yes", text=clocks).stderr.removeprefix("Error: ").splitlines() == [
        "saltant.yaml:2: schedule 'one' is new and needs executable_task_type or container_task_type and task_queue and"
        " cron.",
        "saltant.yaml:3: There is no executable task type 'lat'. Describe it here, or make it first.",
        "saltant.yaml:3: There is no task queue 'defalt'. Did you mean 'default'?",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "saltant.yaml:1: this is no YAML"),
        ("a: &a [*a]\n", "'a' is no section"),
        ("task_queues: &a {q: *a}\n", "'q' is no key"),
        ("[]", "must have sections"),
        ("a: 1\n---\nb: 2\n", "this is no YAML"),
        ("\x00", "this is no YAML"),
        ("executable_task_types: {x: {required_arguments_default_values: {d: 2001-13-45}}}", "date or a number"),
        ("executable_task_types: {x: {required_arguments_default_values: {d: 2001-01-01}}}", "dates in quotes"),
        ("executable_task_types: {x: {required_arguments_default_values: &a {d: *a}}}", "must be names with values"),
    ],
)
def test_files_that_are_none(run: Run, text: str, told: str) -> None:
    done = run(*APPLY, "--yes", text=text)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_what_belongs_to_others_is_left_alone_with_all_else(run: Run, site: Up, bob: str) -> None:
    own = "executable_task_types:\n  bobs: {command_to_run: 'true'}\n"
    text = own + "task_queues:\n  default: {description: bob was here}\n"
    refused = run(*APPLY, "--yes", text=text, token=bob)
    assert refused.returncode == 5
    assert re.search(r"nothing was changed: task queue 'default' belongs to \w+\. Ask them", refused.stderr)
    assert not site.client.executable_task_types.list({"name": "bobs"})
    assert run(*APPLY, "--yes", text=own, token=bob).returncode == 0
    admin = run(*APPLY, "--yes", text=own.replace("'true'", "'false'"))
    assert admin.returncode == 0, "an admin may"
    refused = run(*APPLY, "--yes", text=own.replace("bobs", "bobs-2").replace("'true'", "'\"'"), token=bob)
    assert refused.returncode == 5
    assert refused.stderr.splitlines()[-1].startswith(
        "Error: executable task type 'bobs-2' failed. The server refuses it"
    )


def test_json_and_quiet(run: Run) -> None:
    text = "task_whitelists:\n  listed: {description: d}\n"
    (change,) = json.loads(run(*APPLY, "--json", "--dry-run", text=text).stdout)
    assert change == {
        "section": "task_whitelists",
        "name": "listed",
        "action": "create",
        "changes": {"description": [None, "d"]},
    }
    assert run(*APPLY, "--quiet", "--yes").stdout == "listed\n"
    assert json.loads(run(*APPLY, "--json", "--yes").stdout) == []


def test_it_asks_on_a_terminal_and_nowhere_else(run: Run, site: Up, tmp_path: Path) -> None:
    text = "task_whitelists:\n  asked: {description: d}\n"
    refused = run(*APPLY, text=text)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    for answer, there, code in (("n", 0, 1), ("y", 1, 0)):
        child = pexpect.spawn(
            SALTANT[0],
            [*SALTANT[1:], *APPLY],
            env=environ(site) | {"TERM": "xterm"},
            cwd=str(tmp_path),
            encoding="utf-8",
        )
        child.expect_exact("\x1b[32m+  asked:\x1b[0m", timeout=60)
        child.expect_exact("Do this (1 to create)? [y/N]", timeout=60)
        child.sendline(answer)
        child.expect(pexpect.EOF, timeout=60)
        child.close()
        assert child.exitstatus == code
        assert len(site.client.task_whitelists.list({"name": "asked"})) == there
