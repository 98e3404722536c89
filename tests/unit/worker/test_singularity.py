"""Containers of a real Apptainer: what a program sees, and how it ends."""

import json
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from saltant.progress import Progress
from saltant.reasons import Reason
from saltant.worker.leftovers import LAUNCHER_VARIABLE, environment_of, kill_leftovers
from saltant.worker.run_as import RunAs
from tests.unit.worker.container_rig import ContainerRig, image_folder, mounts, peak, processes_with
from tests.unit.worker.rig import shim_of, until
from tests.unit.worker.test_executable import TEXT, VALUES, st

FILES = {
    "app/broken": "#!/no/such/interpreter\n",
    "app/fatal": '#!/bin/sh\necho "FATAL:   mine" >&2; exit 255\n',
    "app/stubborn": "#!/bin/sh\ntrap '' TERM\nsetsid sleep 1000 &\nsleep 1000 &\necho ready; sleep 1000; sleep 1000\n",
    "etc/data": "no program\n",
}
VALUE = "a,b='\"\n $HOME `id` \\ ä"


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[str, Path]]:
    """The PATH with Apptainer, and the folder with its images."""
    with image_folder(FILES) as (apptainer, folder):
        (folder / "box/etc/data").chmod(0o644)
        apptainer.build(folder / "program.sif", folder / "box")
        yield apptainer.path, folder


@pytest.fixture(scope="module")
def rig(place: tuple[str, Path]) -> Iterator[ContainerRig]:
    path, folder = place
    before = mounts()
    rig = ContainerRig(folder / "data, a:b", path, values={"WANTED": VALUE, "OTHER": "no", "HOME": "/root", "a-b": "c"})
    yield rig
    rig.close()
    until(lambda: not processes_with(str(folder)), "processes are left")
    until(lambda: mounts() <= before, "nothing of it is left mounted")
    assert list(rig.folders.work.iterdir()) == []


@pytest.fixture(scope="module")
def image(place: tuple[str, Path]) -> Path:
    return place[1] / "program.sif"


def said(rig: ContainerRig, uuid: Any, text: str) -> None:
    path = rig.folders.logs / str(uuid) / f"{uuid}-stdout.txt"
    until(lambda: path.exists() and text in path.read_text(), f"it did not say {text}")


def test_the_engine_is_tried_with_a_container(rig: ContainerRig, place: tuple[str, Path]) -> None:
    assert rig.runner.why_not() == ""
    without = ContainerRig(place[1] / "without", "/usr/bin:/bin")
    assert "PATH" in without.runner.why_not()
    assert without.run(place[1] / "box.sif", "true").end.reason is Reason.ENGINE_UNAVAILABLE
    (fake := place[1] / "fake").mkdir()
    (fake / "singularity").write_text("#!/bin/sh\necho 'FATAL:   no user namespaces today' >&2; exit 255\n")
    (fake / "singularity").chmod(0o755)
    broken = ContainerRig(place[1] / "broken", f"{fake}:/usr/bin:/bin")
    assert "no user namespaces today" in broken.runner.why_not()
    assert broken.run(place[1] / "box", "true").end.reason is Reason.ENGINE_UNAVAILABLE
    without.close()
    broken.close()


def test_the_environment_is_what_was_named_and_the_programs_own(
    rig: ContainerRig, image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("APPTAINERENV_LEAK", "SINGULARITYENV_LEAK", "LEAK"):
        monkeypatch.setenv(name, "leaked")
    for name in ("APPTAINER_BIND", "SINGULARITY_BINDPATH"):
        monkeypatch.setenv(name, "/usr:/leaked")
    ran = rig.run(image, 'sh -c \'tr "\\0" "\\1" </proc/self/environ; ls /\'', environment_variables=["WANTED"])
    environment, _, listed = ran.stdout.rpartition(b"\1")
    seen = dict(part.split("=", 1) for part in environment.decode().split("\1"))
    assert seen["WANTED"] == VALUE
    assert seen["JOB_UUID"] == str(ran.job.attempt.uuid)
    assert seen["HOME"] == "/tmp"
    assert b"leaked" not in ran.stdout
    assert b"leaked" not in listed
    own = {"HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "PROMPT_COMMAND", "PS1", "PWD", "TERM", "SHLVL"}
    others = {name for name in seen if not name.startswith(("APPTAINER_", "SINGULARITY_"))} - own
    assert others == {"WANTED", "JOB_UUID"}
    assert ran.stderr == ""


def test_it_says_how_far_it_is_in_a_folder_of_its_own(rig: ContainerRig, image: Path) -> None:
    going = rig.start(image, "sh -c 'echo 42 > $JOB_PROGRESS_FILE'", results_path="/mine")
    assert going.running.conclude(going.wait()).progress == Progress(42.0)
    assert list(rig.folders.of(going.job.attempt).results.iterdir()) == []


def test_values_are_in_nobodys_process_list(rig: ContainerRig, image: Path) -> None:
    going = rig.start(image, "sh -c 'echo ready; sleep 1000'", environment_variables=["WANTED"])
    said(rig, going.job.attempt.uuid, "ready")
    listed = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, check=True).stdout
    going.end()
    assert image.name.encode() in listed
    assert b"$HOME `id`" not in listed
    assert going.wait().reason is Reason.CANCELLED


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(TEXT, VALUES, min_size=1, max_size=5))
def test_any_arguments_arrive_byte_for_byte(rig: ContainerRig, image: Path, arguments: dict[str, Any]) -> None:
    ran = rig.run(image, "printf '%s'", arguments)
    assert (ran.end.exit_code, ran.stdout) == (0, json.dumps(arguments).encode()), ran


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(TEXT.map(lambda text: text.replace("\0", "")), min_size=1))
def test_any_words_arrive_byte_for_byte(rig: ContainerRig, image: Path, words: list[str]) -> None:
    words = [word.encode("utf-8", "replace").decode() for word in words]
    ran = rig.run(image, f"printf '%s\\0' {shlex.join(words)}")
    assert (ran.end.exit_code, ran.stdout) == (0, "".join(f"{word}\0" for word in words).encode()), ran


def test_a_word_may_hold_120_kib(rig: ContainerRig, image: Path) -> None:
    arguments = {"a": "x" * (120 * 1024 - 10)}
    assert rig.run(image, "printf '%s'", arguments).stdout == json.dumps(arguments).encode()


def test_much_output_takes_no_memory(rig: ContainerRig, image: Path) -> None:
    size, before = 200_000_000, peak()
    ran = rig.start(image, f"sh -c 'yes {'x' * 99} | head -c {size}; yes e | head -c 1000000 >&2'")
    assert ran.wait().exit_code == 0
    folders = rig.folders.of(ran.job.attempt)
    assert (folders.stdout.stat().st_size, folders.stderr.stat().st_size) == (size, 1_000_000)
    assert peak() - before < 40 << 20
    folders.stdout.unlink()


def test_what_it_may_write(rig: ContainerRig, image: Path) -> None:
    command = "sh -c 'pwd; ls -A; umask; touch here /root/new; echo r >/new/results/r; echo l >/lo,g:s/l'"
    ran = rig.run(image, command, logs_path="/lo,g:s", results_path="/new/results")
    assert (ran.stdout, ran.stderr, ran.end.exit_code) == (b"/tmp\n0077\n", "", 0)
    folders = rig.folders.of(ran.job.attempt)
    assert (folders.results / "r").read_text() == "r\n"
    assert (folders.logs / "l").read_text() == "l\n"
    ran = rig.run(image, "sh -c 'touch /tmp/x && touch /root/x'", read_only_root=True)
    assert ran.end.exit_code == 1
    assert "Read-only file system" in ran.stderr
    assert not (Path("/tmp") / "x").exists()


def test_it_has_processes_and_network_of_its_own(rig: ContainerRig, image: Path) -> None:
    ran = rig.run(image, "sh -c 'echo $$ /proc/[0-9]*; ls /sys/class/net; ip route'", network="none")
    first, *rest = ran.stdout.decode().splitlines()
    assert len(first.split()) < 8
    assert set(rest) <= {"lo", "bonding_masters"}
    assert len(rig.run(image, "ls /sys/class/net").stdout.split()) >= len(list(Path("/sys/class/net").iterdir()))


@pytest.mark.parametrize("kind", ["program.sif", "box"])
def test_the_digest_is_that_of_the_file(rig: ContainerRig, image: Path, kind: str) -> None:
    ran = rig.run(image.with_name(kind), "true")
    assert ran.end.exit_code == 0, ran
    wanted = ""
    if kind != "box":
        wanted = f"sha256:{subprocess.run(['sha256sum', image], capture_output=True, text=True).stdout[:64]}"
    assert ran.end.image_digest == wanted


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -9 $$", 137)])
def test_exit_codes(rig: ContainerRig, image: Path, script: str, code: int) -> None:
    ran = rig.run(image, f"sh -c '{script}'")
    assert (ran.end.reason, ran.end.exit_code, ran.stderr) == (Reason.EXITED, code, "")
    assert ran.end.started is not None
    assert ran.end.finished is not None


def test_a_program_that_talks_like_apptainer_keeps_its_end(rig: ContainerRig, image: Path) -> None:
    ran = rig.run(image, "/app/fatal")
    assert (ran.end.reason, ran.end.exit_code, ran.stderr) == (Reason.EXITED, 255, "FATAL:   mine\n")


@pytest.mark.parametrize(
    ("command", "reason", "message"),
    [
        ("no-such-command", Reason.COMMAND_NOT_FOUND, "no-such-command"),
        ("/no/such/command", Reason.COMMAND_NOT_FOUND, "/no/such/command"),
        ("''", Reason.COMMAND_NOT_FOUND, "''"),
        ("", Reason.COMMAND_NOT_FOUND, "empty"),
        ("--version", Reason.COMMAND_NOT_FOUND, "--version"),
        ("/etc", Reason.NOT_EXECUTABLE, "is a folder"),
        ("/etc/data", Reason.NOT_EXECUTABLE, "permission denied"),
        ("/app/broken", Reason.NOT_EXECUTABLE, "interpreter"),
        ("'open", Reason.WORKER_ERROR, "No closing quotation"),
        ("a\0b", Reason.WORKER_ERROR, "NUL"),
    ],
)
def test_commands_that_cannot_be_run(
    rig: ContainerRig, image: Path, command: str, reason: Reason, message: str
) -> None:
    end = rig.run(image, command).end
    assert (end.reason, end.exit_code, end.started) == (reason, None, None), end
    assert message in end.message


@pytest.mark.parametrize(
    ("more", "reason", "message"),
    [
        ({"shm_size": 1 << 20}, Reason.WORKER_ERROR, "/dev/shm"),
        ({"container_user": "1234:5"}, Reason.WORKER_ERROR, "'1234:5'"),
        ({"logs_path": "logs"}, Reason.WORKER_ERROR, "absolute"),
        ({"logs_path": "//"}, Reason.WORKER_ERROR, "beneath /"),
        ({"logs_path": "/a", "results_path": "/a/"}, Reason.WORKER_ERROR, "are one"),
        ({"arguments": {"a": "x" * (1 << 18)}}, Reason.WORKER_ERROR, "262153 bytes"),
        ({"environment_variables": ["ABSENT"]}, Reason.ENVIRONMENT_MISSING, "ABSENT is not set"),
        ({"environment_variables": ["HOME"]}, Reason.ENVIRONMENT_MISSING, "HOME cannot be given"),
        ({"environment_variables": ["a-b"]}, Reason.ENVIRONMENT_MISSING, "a-b cannot be given"),
    ],
)
def test_what_apptainer_cannot_do_is_refused(
    rig: ContainerRig, image: Path, more: dict[str, Any], reason: Reason, message: str
) -> None:
    end = rig.run(image, "true", **more).end
    assert (end.reason, end.exit_code, end.started) == (reason, None, None), end
    assert message in end.message


def test_too_much_memory(rig: ContainerRig, image: Path) -> None:
    why = rig.tools.cgroups.why_not("memory")
    if why is not None:
        pytest.skip(f"NOT TESTED: memory cannot be limited here: {why}")
    command = "sh -c 'x=1234567890; while :; do x=$x$x; done'"
    end = rig.run(image, command, memory=40 << 20).end
    assert end.reason is Reason.OUT_OF_MEMORY, end
    assert "40 MiB" in end.message


def test_what_ignores_sigterm_is_ended_all_the_same(rig: ContainerRig, image: Path) -> None:
    end = rig.run(image, "/app/stubborn", timeout=1.0).end
    assert end.reason is Reason.TIMED_OUT, end
    going = rig.start(image, "/app/stubborn")
    said(rig, going.job.attempt.uuid, "ready")
    mark = str(going.job.attempt.uuid)
    assert len(processes_with(mark)) >= 5
    going.end(0.2)
    assert going.wait().reason is Reason.CANCELLED
    assert processes_with(mark) == []


def test_sigterm_gives_a_program_time_to_clean_up(rig: ContainerRig, image: Path) -> None:
    script = 'trap "echo bye; sleep 0.2; echo done; exit 3" TERM; echo ready; while :; do sleep 0.05; done'
    going = rig.start(image, f"sh -c '{script}'")
    said(rig, going.job.attempt.uuid, "ready")
    going.end(20)
    end = going.wait()
    assert (end.reason, end.exit_code) == (Reason.CANCELLED, 3), end
    assert rig.folders.of(going.job.attempt).stdout.read_text() == "ready\nbye\ndone\n"


def test_nothing_is_left_by_a_launcher_and_a_shim_that_are_killed(place: tuple[str, Path]) -> None:
    path, folder = place
    before = mounts()
    rig = ContainerRig(folder / "killed", path)
    going = rig.start(folder / "box.sif", "sh -c 'trap \"\" TERM; setsid sleep 1000 & echo ready; sleep 1000'")
    uuid = going.job.attempt.uuid
    said(rig, uuid, "ready")
    shim, launcher = shim_of(uuid), rig.launcher.pid
    assert launcher is not None
    assert LAUNCHER_VARIABLE.encode() in environment_of(shim)
    os.kill(launcher, signal.SIGSTOP)
    os.kill(shim, signal.SIGKILL)
    os.kill(launcher, signal.SIGKILL)
    assert going.wait().reason is Reason.LOST
    assert processes_with(str(uuid)) == []
    rig.close()
    kill_leftovers(folder / "killed")
    until(lambda: mounts() <= before, "nothing of it is left mounted")


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: only root can run jobs as another user")
def test_as_another_user(place: tuple[str, Path]) -> None:
    path, folder = place
    rig = ContainerRig(folder / "nobodys", path, run_as=RunAs.named("nobody"))
    assert rig.runner.why_not() == ""
    ran = rig.run(
        folder / "box.sif",
        "sh -c 'id -u; touch /new /tmp/new; echo r >/results/r; cat /proc/1/status'",
        results_path="/results",
        network="none",
    )
    assert (ran.end.exit_code, ran.stderr) == (0, ""), ran
    assert ran.stdout.split()[0].decode() == str(RunAs.named("nobody").uid)
    assert b"NoNewPrivs:\t1" in ran.stdout
    result = rig.folders.of(ran.job.attempt).results / "r"
    assert (result.read_text(), result.stat().st_uid) == ("r\n", RunAs.named("nobody").uid)
    rig.close()
