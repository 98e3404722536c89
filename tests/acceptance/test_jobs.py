"""Executables for real, through HTTP."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saltant.models.executable_task_type import ExecutableTaskType
from tests.acceptance.system import Site, Up, processes_of, wait_until

pytestmark = pytest.mark.everywhere

SHOW = rf"""#!{sys.executable} -I
import json, os, sys
words = [os.fsencode(word).hex() for word in sys.argv[1:]]
file = open(sys.argv[2], "rb").read().hex() if sys.argv[1:2] == ["--file"] else None
seen = {{"words": words, "file": file, "env": dict(os.environ), "cwd": os.getcwd(), "here": os.listdir(),
        "stdin": sys.stdin.read()}}
with open(os.environ["JOB_RESULTS_DIRECTORY"] + "/seen.json", "w") as out:
    json.dump(seen, out)
"""


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program that writes down all that it sees."""
    path = tmp_path_factory.mktemp("programs") / "show it.py"
    path.write_text(SHOW)
    path.chmod(0o755)
    return path


@pytest.fixture(scope="module")
def as_word(up: Site, show: Path) -> ExecutableTaskType:
    return up.executable(f"'{show}'")


@pytest.fixture(scope="module")
def as_file(up: Site, show: Path) -> ExecutableTaskType:
    return up.executable(f"'{show}'", json_file_option="--file")


def seen(up: Site, task_type: ExecutableTaskType, arguments: dict[str, Any] | None = None) -> dict[str, Any]:
    job = up.run(task_type, arguments)
    assert job.state == "successful", (job.message, up.log(job, "stderr"))
    found: dict[str, Any] = json.loads(up.result(job, "seen.json"))
    return found | {"job": job}


def test_the_environment_is_what_is_promised_and_no_more(up: Site, as_word: ExecutableTaskType) -> None:
    look = seen(up, as_word)
    env, job = look["env"], look["job"]
    env.pop("LC_CTYPE", None)  # Python's own, where the locale is C
    assert env == {
        "JOB_UUID": job.uuid,
        "PATH": os.environ["PATH"],
        "JOB_LOGS_DIRECTORY": str(up.data_dir / "logs" / job.uuid),
        "JOB_RESULTS_DIRECTORY": str(up.data_dir / "results" / job.uuid),
        "JOB_PROGRESS_FILE": str(up.data_dir / "logs" / job.uuid / f"{job.uuid}-progress.txt"),
    }
    assert (look["words"], look["here"], look["stdin"]) == ([], [], "")
    assert not Path(look["cwd"]).exists()


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda children: (
        st.lists(children, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), children, max_size=4
        )
    ),
    max_leaves=12,
)
objects = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), json_values, max_size=4
)
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@few
@given(arguments=objects)
def test_arguments_arrive_as_one_word_byte_for_byte(
    up: Site, as_word: ExecutableTaskType, arguments: dict[str, Any]
) -> None:
    look = seen(up, as_word, arguments)
    expected = [json.dumps(arguments).encode().hex()] if arguments else []
    assert look["words"] == expected
    assert look["job"].arguments == arguments


@few
@given(arguments=objects)
def test_arguments_arrive_as_a_file_byte_for_byte(
    up: Site, as_file: ExecutableTaskType, arguments: dict[str, Any]
) -> None:
    look = seen(up, as_file, arguments)
    if not arguments:
        assert look["words"] == []
        return
    assert bytes.fromhex(look["file"]) == json.dumps(arguments).encode()
    assert not Path(os.fsdecode(bytes.fromhex(look["words"][1]))).exists()


def test_a_file_takes_what_no_word_could(up: Site, as_file: ExecutableTaskType) -> None:
    look = seen(up, as_file, {"a": "x" * 1_000_000})
    assert len(look["file"]) // 2 == len(json.dumps({"a": "x" * 1_000_000}))


def test_a_command_is_expanded_then_split_and_no_shell_runs(up: Site, show: Path) -> None:
    look = seen(up, up.executable(f"'{show}' $JOB_UUID '${{JOB_UUID}} b' | && \"c'd\" $NONE"))
    uuid = look["job"].uuid
    words = [bytes.fromhex(word).decode() for word in look["words"]]
    assert words == [uuid, f"{uuid} b", "|", "&&", "c'd", "$NONE"]


def test_stdout_and_stderr_are_kept(up: Site) -> None:
    job = up.run(up.executable("/bin/sh -c 'echo out; echo err >&2; exit 3'"))
    assert (up.log(job), up.log(job, "stderr")) == ("out\n", "err\n")
    assert (job.state, job.reason, job.exit_code) == ("failed", "exited", 3)


@pytest.mark.parametrize(
    ("command", "reason", "said"),
    [
        ("/no/such/program", "command_not_found", "/no/such/program"),
        ("no-such-program-on-the-path", "command_not_found", "no-such-program-on-the-path"),
        ("/etc/passwd", "not_executable", "/etc/passwd"),
        ("/etc", "not_executable", "/etc"),
        ("/bin/sh -c 'kill -9 $$'", "killed", "9"),
    ],
)
def test_what_cannot_run_fails_with_its_reason(up: Site, command: str, reason: str, said: str) -> None:
    job = up.run(up.executable(command))
    assert (job.state, job.reason) == ("failed", reason)
    assert said in job.message


def test_a_missing_variable_is_named(up: Site) -> None:
    for name in ("NO_SUCH_VARIABLE", "SALTANT_DATA_DIR"):
        job = up.run(up.executable("/bin/true", environment_variables=[name]))
        assert (job.state, job.reason) == ("failed", "environment_missing")
        assert name in job.message


def test_terminating_ends_the_whole_tree(up: Site) -> None:
    tree = up.executable("/bin/sh -c 'setsid sleep 600 & (sleep 600 &) ; echo ready; sleep 600'")
    job = up.submit(tree)
    wait_until(lambda: job.sync().state == "running" and "ready" in up.log(job), "it runs")
    assert len(list(processes_of(job.uuid))) >= 4
    job.terminate()
    job.wait_until_finished(0.02, timeout=60)
    assert (job.state, job.reason) == ("terminated", "cancelled")
    assert list(processes_of(job.uuid)) == []


def test_what_a_program_leaves_behind_is_ended_and_its_end_is_its_own(up: Site) -> None:
    job = up.run(up.executable("/bin/sh -c 'setsid sleep 600 & exit 0'"))
    assert job.state == "successful"
    assert list(processes_of(job.uuid)) == []


def test_many_at_once_all_end(up: Site) -> None:
    task_type = up.executable("/bin/true")
    jobs = [up.submit(task_type) for _ in range(40)]
    assert {job.wait_until_finished(0.05, timeout=60).state for job in jobs} == {"successful"}


def test_a_running_job_says_since_when_it_runs(tmp_path: Path) -> None:
    with Up(tmp_path / "data", environ={"SALTANT_LEASE": "2"}) as quick:
        job = quick.submit(quick.executable("sleep 600"))
        wait_until(lambda: job.sync().datetime_started is not None, "a heartbeat has told when it started")
        assert job.state == "running"
        assert job.datetime_started is not None
        assert job.datetime_created <= job.datetime_started
