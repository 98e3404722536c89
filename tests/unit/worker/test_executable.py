"""What a program sees of the world, exactly."""

import json
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saltant.reasons import Reason
from saltant.states import State
from saltant.worker.runners.executable import expand_command
from tests.unit.worker.rig import PYTHON, Rig

MakeRig = Callable[..., Rig]
Script = Callable[..., str]

SHOW = """
import json, os, sys
print(json.dumps({
    "argv": sys.argv[1:], "environment": dict(os.environ), "folder": os.getcwd(), "files": os.listdir(),
    "umask": os.umask(0), "session": os.getsid(0) == os.getpid(), "fds": sorted(os.listdir("/proc/self/fd")),
    "stdin": os.readlink("/proc/self/fd/0"),
}))
"""


def show(rig: Rig, script: Script, arguments: dict[str, Any] | None = None, **particulars: Any) -> dict[str, Any]:
    words = particulars.pop("words", "")
    end, output = rig.run(f"{PYTHON} {script(SHOW)} {words}", arguments, **particulars)
    assert (end.reason, end.exit_code, end.state) == (Reason.EXITED, 0, State.SUCCESSFUL), end
    seen: dict[str, Any] = json.loads(output)
    return seen


def test_the_environment_is_what_was_promised_and_nothing_else(make_rig: MakeRig, script: Script) -> None:
    path = os.environ["PATH"]
    rig = make_rig(values={"PATH": path, "WANTED": "a b\nä", "OTHER": "no"})
    seen = show(rig, script, environment_variables=["WANTED", "JOB_UUID", "PATH"])
    (attempt,) = rig.server.ends
    seen["environment"].pop("LC_CTYPE", None)  # which Python itself sets where there is no locale
    assert seen["environment"] == {
        "JOB_UUID": str(attempt.uuid),
        "PATH": path,
        "WANTED": "a b\nä",
        "JOB_LOGS_DIRECTORY": str(rig.folders.logs / str(attempt.uuid)),
        "JOB_RESULTS_DIRECTORY": str(rig.folders.results / str(attempt.uuid)),
        "JOB_PROGRESS_FILE": str(rig.folders.of(attempt).progress),
    }


def test_a_program_starts_clean(rig: Rig, script: Script) -> None:
    seen = show(rig, script)
    (attempt,) = rig.server.ends
    assert seen["folder"] == str(rig.folders.work / f"{attempt.uuid}.1")
    assert seen["files"] == []
    assert seen["umask"] == 0o077
    assert seen["session"]
    assert seen["stdin"] == "/dev/null"
    assert seen["fds"] == ["0", "1", "2", "3"]  # 3 is the listing itself


def test_no_signal_is_ignored_even_if_the_worker_does(rig: Rig) -> None:
    _, output = rig.run("/bin/cat /proc/self/status")
    lines = [line for line in output.splitlines() if line.startswith((b"SigBlk", b"SigIgn", b"SigCgt"))]
    changeable = ~(0b11 << 31)  # the C library lets nobody change its signals 32 and 33
    assert [int(line.split()[1], 16) & changeable for line in lines] == [0, 0, 0]


def test_folders_logs_and_times(rig: Rig, script: Script) -> None:
    attempt = rig.submit(
        script('#!/bin/sh\necho out; echo err >&2; date +%s.%N; touch left; echo r >"$JOB_RESULTS_DIRECTORY/r"')
    )
    end = rig.end_of(attempt)
    folders = rig.folders.of(attempt)
    out, date = folders.stdout.read_text().split()
    assert (out, folders.stderr.read_text()) == ("out", "err\n")
    assert folders.stdout.name == f"{attempt.uuid}-stdout.txt"
    assert folders.logs.name == folders.results.name == str(attempt.uuid)
    assert stat.S_IMODE(folders.stdout.stat().st_mode) == 0o600
    assert stat.S_IMODE(folders.results.stat().st_mode) == 0o700
    assert (folders.results / "r").read_text() == "r\n"
    assert end.started is not None
    assert end.finished is not None
    assert end.started.timestamp() <= float(date) <= end.finished.timestamp()
    assert end.started.tzinfo is not None
    assert end.cpu_seconds is not None
    assert not folders.work.exists()
    assert end.peak_memory is None


def test_cpu_seconds_count_the_whole_tree(rig: Rig, script: Script) -> None:
    burn = script("import time\nwhile time.process_time() < 0.2: pass", "burn")
    end, _ = rig.run(script(f"#!/bin/sh\n{PYTHON} {burn} & {PYTHON} {burn} & wait"))
    assert end.cpu_seconds is not None
    assert 0.4 <= end.cpu_seconds < 2


def test_a_second_attempt_has_its_own_folder_and_new_logs(rig: Rig) -> None:
    attempt = rig.submit("/bin/echo first")
    rig.end_of(attempt)
    rig.folders.of(attempt).stdout.unlink()
    rig.folders.of(attempt).stdout.symlink_to("/dev/null")  # what a program might do to its own log
    job = rig.server.jobs[attempt]
    again = rig.server.submit("/bin/echo second", number=2)
    assert job.attempt != again
    rig.end_of(again)
    fd = rig.folders.open_log(rig.folders.of(attempt).stdout)
    os.close(fd)
    assert not rig.folders.of(attempt).stdout.is_symlink()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("run a 'b c' \"d e\" f\\ g", ["run", "a", "b c", "d e", "f g"]),
        ("run $WHERE/x ${WHERE} '$WHERE' $NONE ${NONE} $", ["run", "/w/x", "/w", "/w", "$NONE", "${NONE}", "$"]),
        ("run a | b && c > d; *", ["run", "a", "|", "b", "&&", "c", ">", "d;", "*"]),
        ("run $TWO '$TWO'", ["run", "x", "y", "x y"]),
        ("run $NESTED", ["run", "$WHERE"]),
        ("run # no comment", ["run", "#", "no", "comment"]),
    ],
)
def test_a_command_is_expanded_then_split_and_no_shell_runs(command: str, words: list[str]) -> None:
    environment = {"WHERE": "/w", "TWO": "x y", "NESTED": "$WHERE"}
    assert expand_command(command, environment) == words


def test_variables_are_expanded_from_the_jobs_environment_only(make_rig: MakeRig, script: Script) -> None:
    rig = make_rig(values={"PATH": os.environ["PATH"], "GIVEN": "yes", "HIDDEN": "no"})
    seen = show(rig, script, words="$GIVEN $HIDDEN $JOB_UUID", environment_variables=["GIVEN"])
    (attempt,) = rig.server.ends
    assert seen["argv"] == ["yes", "$HIDDEN", str(attempt.uuid)]


def test_no_arguments_add_nothing(rig: Rig, script: Script) -> None:
    assert show(rig, script, {}, json_file_option="--file")["argv"] == []


def test_arguments_are_one_word(rig: Rig, script: Script) -> None:
    arguments = {"a": "ä'\"\n$HOME", "b": [1, 2.5, None, True]}
    assert show(rig, script, arguments, words="x", json_file_option="")["argv"] == ["x", json.dumps(arguments)]


def test_a_word_may_hold_120_kib(rig: Rig, script: Script) -> None:
    arguments = {"a": "x" * (120 * 1024 - 10)}
    assert show(rig, script, arguments)["argv"] == [json.dumps(arguments)]


def test_too_long_a_word_is_a_clear_error(rig: Rig) -> None:
    end, _ = rig.run("/bin/true", {"a": "x" * 200_000})
    assert end.reason is Reason.WORKER_ERROR
    assert "Argument list too long" in end.message


CAT = """
import os, sys
if sys.argv[1] == "--file":
    data = open(sys.argv[2], "rb").read()
    status = os.stat(sys.argv[2])
    folder = os.path.dirname(sys.argv[2])
    print(f"{status.st_mode & 0o777:o} {folder} {os.getcwd()}", file=sys.stderr)
else:
    (data,) = map(os.fsencode, sys.argv[1:])
os.write(1, data)
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rig, str]]:
    folder = tmp_path_factory.mktemp("shared")
    path = folder / "cat.py"
    path.write_text(CAT)
    rig = Rig(folder / "data")
    yield rig, f"{PYTHON} {path}"
    rig.close()


TEXT = st.text() | st.sampled_from(["'", '"', "\\", "\n", "$PATH", "`id`", "😀", "\ud7ff\ue000", "\x7f\x01", ""])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(TEXT, VALUES, min_size=1, max_size=5))
def test_any_arguments_arrive_byte_for_byte(shared: tuple[Rig, str], arguments: dict[str, Any]) -> None:
    rig, command = shared
    for option in (None, "--file"):
        end, output = rig.run(command, arguments, json_file_option=option)
        assert end.exit_code == 0, end
        assert output == json.dumps(arguments).encode()


def test_deep_arguments_arrive(shared: tuple[Rig, str]) -> None:
    rig, command = shared
    arguments: dict[str, Any] = {}
    for _ in range(400):
        arguments = {"a": [arguments]}
    assert rig.run(command, arguments)[1] == json.dumps(arguments).encode()


def test_the_arguments_file_is_private_elsewhere_and_gone_afterwards(shared: tuple[Rig, str]) -> None:
    rig, command = shared
    arguments = {"big": "x" * 300_000}
    attempt = rig.submit(command, arguments, json_file_option="--file")
    end = rig.end_of(attempt)
    assert end.exit_code == 0, end
    folders = rig.folders.of(attempt)
    assert folders.stdout.read_text() == json.dumps(arguments)
    mode, folder, where = folders.stderr.read_text().split()
    assert mode == "600"
    assert not Path(folder).is_relative_to(where)
    assert list(rig.folders.arguments.iterdir()) == []
    assert list(rig.folders.work.iterdir()) == []


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_exit_codes(rig: Rig, script: Script, code: int) -> None:
    end, _ = rig.run(script(f"#!/bin/sh\nexit {code}"))
    assert (end.reason, end.exit_code, end.signal) == (Reason.EXITED, code, None)
    assert end.state is (State.FAILED if code else State.SUCCESSFUL)


@pytest.mark.parametrize("signum", [1, 2, 6, 9, 13, 15])
def test_signals_that_saltant_did_not_send(rig: Rig, script: Script, signum: int) -> None:
    end, _ = rig.run(script(f"#!/bin/sh\nkill -{signum} $$"))
    assert (end.reason, end.exit_code, end.signal, end.state) == (Reason.KILLED, None, signum, State.FAILED)
    assert f"signal {signum} (SIG" in end.message


def test_commands_are_found_through_the_jobs_own_path(make_rig: MakeRig, tmp_path: Path, script: Script) -> None:
    (tmp_path / "dir" / "mine").mkdir(parents=True)  # a folder of that name, earlier in the path
    script("#!/no/such/interpreter", "dir/broken")
    script("#!/bin/sh\necho it", "mine")
    script("#!/bin/sh\necho it", "broken")
    rig = make_rig(values={"PATH": f"{tmp_path}/none:{tmp_path}/dir:{tmp_path}:/bin"})
    assert rig.run("mine")[1] == b"it\n"
    assert rig.run("broken")[1] == b"it\n"


@pytest.mark.parametrize(
    ("command", "reason", "message"),
    [
        ("no-such-command-anywhere", Reason.COMMAND_NOT_FOUND, "no-such-command-anywhere"),
        ("/no/such/command", Reason.COMMAND_NOT_FOUND, "/no/such/command"),
        ("./here", Reason.COMMAND_NOT_FOUND, "./here"),
        ("", Reason.COMMAND_NOT_FOUND, "empty"),
        ("''", Reason.COMMAND_NOT_FOUND, "''"),
        ("/etc/passwd/x", Reason.COMMAND_NOT_FOUND, "/etc/passwd/x"),
        ("/" + "x" * 300, Reason.COMMAND_NOT_FOUND, "xxx"),
        ("/tmp", Reason.NOT_EXECUTABLE, "is a folder"),
        ("/etc/passwd", Reason.NOT_EXECUTABLE, "Permission denied"),
        ("'open", Reason.WORKER_ERROR, "No closing quotation"),
        ("a\0b", Reason.WORKER_ERROR, "NUL"),
        ("a\ud800b", Reason.WORKER_ERROR, "character"),
    ],
)
def test_commands_that_cannot_be_run(rig: Rig, command: str, reason: Reason, message: str) -> None:
    end, _ = rig.run(command)
    assert end.reason is reason, end
    assert message in end.message
    assert (end.state, end.started, end.exit_code) == (State.FAILED, None, None)
    assert list(rig.folders.work.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [("#!/no/such/interpreter\n", "interpreter"), ("echo no line\n", "#!"), ("\x7fELFnonsense", "#!")],
)
def test_scripts_that_cannot_be_executed(rig: Rig, script: Script, text: str, message: str) -> None:
    end, _ = rig.run(script(text))
    assert end.reason is Reason.NOT_EXECUTABLE
    assert message in end.message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ABSENT", "ABSENT is not set"),
        ("SALTANT_AUTH_TOKEN", "SALTANT_AUTH_TOKEN is kept back"),
        ("saltant_x", "saltant_x is kept back"),
        ("DATABASE_URL", "DATABASE_URL is kept back"),
        ("MY_BROKER_URL", "MY_BROKER_URL is kept back"),
        ("CELERY_RESULT_BACKEND", "CELERY_RESULT_BACKEND is kept back"),
        ("PGPASSWORD", "PGPASSWORD is kept back"),
        ("NOT_ALLOWED", "NOT_ALLOWED is kept back"),
        ("", " is kept back"),
    ],
)
def test_variables_that_a_job_does_not_get(make_rig: MakeRig, name: str, message: str) -> None:
    values = {"PATH": "/bin", "MY_A": "1", "NOT_ALLOWED": "2", "SALTANT_AUTH_TOKEN": "s", "MY_BROKER_URL": "amqp"}
    rig = make_rig(values=values, allowed=("MY_*", "ABSENT", "SALTANT_*", "*_URL"))
    end, _ = rig.run("/bin/true", environment_variables=["MY_A", name])
    assert (end.reason, end.state) == (Reason.ENVIRONMENT_MISSING, State.FAILED)
    assert message in end.message
    assert rig.run("/bin/true", environment_variables=["MY_A"])[0].exit_code == 0


@pytest.mark.skipif(sys.getfilesystemencoding() != "utf-8", reason="values are bytes of the locale")
def test_values_that_are_no_text_arrive(make_rig: MakeRig) -> None:
    rig = make_rig(values={"PATH": "/bin:/usr/bin", "ODD": b"\xff\xfe=x".decode("utf-8", "surrogateescape")})
    _, output = rig.run("/usr/bin/env", environment_variables=["ODD"])
    assert b"\nODD=\xff\xfe=x\n" in b"\n" + output


def test_folders_that_cannot_be_made_are_a_clear_error(rig: Rig) -> None:
    rig.folders.work.rmdir()
    rig.folders.work.write_text("in the way")
    end, _ = rig.run("/bin/true")
    assert end.reason is Reason.WORKER_ERROR
    assert str(rig.folders.work) in end.message
    rig.folders.work.unlink()
    rig.folders.make()
    assert rig.run("/bin/true")[0].exit_code == 0
