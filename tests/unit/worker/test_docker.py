"""Containers of a real Docker engine: what a program sees, and how it ends."""

import json
import os
import pwd
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings

from saltant.jobs import Attempt, Job, Kind
from saltant.progress import Progress
from saltant.reasons import Reason
from saltant.states import State
from saltant.worker.run_as import RunAs
from saltant.worker.runners.docker import _closed_in
from saltant.worker.running import Running
from tests.services.docker import IMAGE, Docker
from tests.services.fixtures import obtain
from tests.unit.worker.container_rig import peak
from tests.unit.worker.docker_rig import DockerRig, mounted, processes_of
from tests.unit.worker.rig import BOUND, until
from tests.unit.worker.test_executable import TEXT, VALUES, st

FILES = {
    "app/stubborn": "#!/bin/sh\ntrap '' TERM\nsetsid sleep 1000 &\nsleep 1000 &\necho ready; sleep 1000; sleep 1000\n",
    "app/broken": "#!/no/such/interpreter\n",
    "app/binary": "\x7fELFnonsense",
}
PROGRAM, ENTRY = "program:1", "entry:1"
VALUE = "a,b='\"\n $HOME `id` \\ ä"


@pytest.fixture(scope="module")
def engine() -> Iterator[Docker]:
    """An engine, of which nothing is left in the end."""
    engine = obtain(Docker)
    try:
        engine.start()
        engine.import_image(PROGRAM, FILES)
        engine.import_image(ENTRY, changes=['ENTRYPOINT ["echo", "entered"]', 'CMD ["by", "default"]', "WORKDIR /logs"])
        yield engine
        assert engine.left() == {"containers": [], "volumes": [], "networks": []}
    finally:
        engine.stop()
    until(lambda: not processes_of(engine.folder), "processes are left")
    assert mounted() == set()
    assert list(Path("/sys/fs/cgroup").glob(f"**/{engine.cgroup}")) == []


@pytest.fixture(scope="module")
def rig(engine: Docker) -> Iterator[DockerRig]:
    values = {"WANTED": VALUE, "OTHER": "no", "ODD": b"\xff".decode("utf-8", "surrogateescape")}
    rig = DockerRig(engine.folder / "data, a:b", engine.url, values=values)
    yield rig
    rig.close()


@pytest.mark.parametrize("code", [0, 1, 3, 126, 127, 255])
def test_exit_codes(rig: DockerRig, code: int) -> None:
    ran = rig.run(f"sh -c 'echo out; echo err >&2; exit {code}'")
    end = ran.end
    assert (end.reason, end.exit_code, end.signal) == (Reason.EXITED, code, None)
    assert end.state is (State.FAILED if code else State.SUCCESSFUL)
    assert (ran.stdout, ran.stderr) == (b"out\n", "err\n")
    assert end.started is not None
    assert end.finished is not None
    assert end.started <= end.finished
    assert end.image_digest.startswith("sha256:")


@pytest.mark.parametrize("signum", [6, 9, 11, 15])
def test_signals_that_saltant_did_not_send(rig: DockerRig, signum: int) -> None:
    end = rig.run(f"sh -c 'kill -{signum} $$'").end
    assert (end.reason, end.exit_code, end.signal, end.state) == (Reason.KILLED, None, signum, State.FAILED)


def test_the_environment_is_what_was_promised_and_nothing_else(rig: DockerRig) -> None:
    ran = rig.run("cat /proc/self/environ", environment_variables=["WANTED", "JOB_UUID"])
    seen = dict(part.split("=", 1) for part in ran.stdout.decode().split("\0") if part)
    own = {name: seen.pop(name) for name in ("PATH", "HOSTNAME", "HOME")}  # every container's
    assert seen == {"WANTED": VALUE, "JOB_UUID": str(ran.job.attempt.uuid)}
    assert own["HOME"] == "/app"


@pytest.mark.parametrize("path", ["logs_path", "results_path"])
def test_it_says_how_far_it_is_in_a_folder_of_its_own(rig: DockerRig, path: str) -> None:
    going = rig.start("sh -c 'echo 42 > $JOB_PROGRESS_FILE'", **{path: "/mine"})
    assert going.running.conclude(rig.ran(going).end).progress == Progress(42.0)
    folders = rig.folders.of(going.job.attempt)
    assert list(folders.results.iterdir()) == []
    assert set(folders.logs.iterdir()) == {folders.stdout, folders.stderr}


def test_variables_that_a_container_cannot_be_given(rig: DockerRig) -> None:
    for name in ("ABSENT", "ODD"):
        end = rig.run("true", environment_variables=[name]).end
        assert end.reason is Reason.ENVIRONMENT_MISSING
        assert name in end.message


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(TEXT, VALUES, min_size=1, max_size=5), TEXT.filter(lambda text: "\0" not in text))
def test_any_words_arrive_byte_for_byte(rig: DockerRig, arguments: dict[str, Any], word: str) -> None:
    ran = rig.run(f"cat /proc/self/cmdline - {shlex.quote(word)} ''", arguments)
    words = ran.stdout.split(b"\0")
    assert words[3:] == [word.encode(), b"", json.dumps(arguments).encode(), b""]


def test_a_command_is_split_and_not_expanded(rig: DockerRig) -> None:
    assert rig.run("echo '$HOME' \"a  b\" `id` | && c").stdout == b"$HOME a  b `id` | && c\n"
    end = rig.run("echo 'open").end
    assert (end.reason, "No closing quotation" in end.message) == (Reason.WORKER_ERROR, True)
    assert rig.run("echo \ud800").end.reason is Reason.WORKER_ERROR


def test_an_images_own_entrypoint_and_folder_are_kept(rig: DockerRig) -> None:
    assert rig.run("a", {"b": 1}, image=ENTRY).stdout == b'entered a {"b": 1}\n'
    assert rig.run("", {"b": 1}, image=ENTRY).stdout == b'entered {"b": 1}\n'
    assert rig.run("", image=ENTRY).stdout == b"entered by default\n"
    assert rig.run("pwd").stdout == b"/app\n"


@pytest.mark.parametrize("user", ["", "1234", "1234:0"])
def test_its_folders_are_where_its_type_says(rig: DockerRig, user: str) -> None:
    ran = rig.run(
        "sh -c 'id -u; echo l >/logs/x/l.txt; mkdir /results/d; echo r >/results/d/r'",
        logs_path="/logs/x",
        results_path="/results",
        container_user=user,
    )
    assert (ran.end.exit_code, ran.stdout, ran.stderr) == (0, f"{user.split(':')[0] or 0}\n".encode(), "")
    folders = rig.folders.of(ran.job.attempt)
    assert (folders.logs / "l.txt").read_text() == "l\n"
    assert (folders.results / "d/r").read_text() == "r\n"
    assert {folder.stat().st_mode & 0o777 for folder in (folders.logs, folders.results)} == {0o700}


@pytest.mark.parametrize(
    ("paths", "says"),
    [
        ({"logs_path": "logs"}, "absolute"),
        ({"logs_path": "//"}, "beneath /"),
        ({"results_path": "/a/.."}, "beneath /"),
        ({"logs_path": "/a\0b"}, "absolute"),
        ({"logs_path": "/a", "results_path": "/./a/"}, "are one"),
    ],
)
def test_a_path_that_cannot_be_mounted_at_is_a_clear_error(rig: DockerRig, paths: dict[str, str], says: str) -> None:
    end = rig.run("true", **paths).end
    assert end.reason is Reason.WORKER_ERROR
    assert says in end.message


@pytest.mark.parametrize("image", ["", "/", "../x", "a/../b", "a b", "-it", "a?b", "Ä:1", "a\n"])
def test_what_is_no_name_of_an_image_is_told(rig: DockerRig, image: str) -> None:
    for policy in ("if_missing", "always", "never"):
        end = rig.run("true", image=image, pull_policy=policy).end
        assert (end.reason, end.started) == (Reason.IMAGE_PULL_FAILED, None), end


@pytest.mark.parametrize(
    ("command", "arguments", "reason", "says"),
    [
        ("", {}, Reason.COMMAND_NOT_FOUND, "empty"),
        ("sh -c 'x", {}, Reason.WORKER_ERROR, "split"),
        ("echo", {"a": "x" * (1 << 18)}, Reason.WORKER_ERROR, "262153 bytes"),
    ],
)
def test_words_that_no_program_can_get(
    rig: DockerRig, command: str, arguments: dict[str, str], reason: Reason, says: str
) -> None:
    end = rig.run(command, arguments).end
    assert (end.reason, end.started) == (reason, None), end
    assert says in end.message


def test_what_a_worker_cannot_read_is_found() -> None:
    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        top.chmod(0o755)
        for folder, mode in (("closed/in", 0o700), ("open", 0o755)):
            (top / folder).mkdir(parents=True)
            (top / folder).parent.chmod(0o755)
            (top / folder).chmod(mode)
        (top / "open/link").symlink_to("/no/such/file")
        for file, mode in (("open", 0o644), ("secret", 0o600)):
            (top / "open" / file).touch()
            (top / "open" / file).chmod(mode)
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
            os.write(writer, " ".join(_closed_in(top)).encode())
            os._exit(0)
        os.waitpid(child, 0)
        os.close(writer)
        with os.fdopen(reader) as said:
            assert set(said.read().split()) == {"closed/in", "open/secret"}


@pytest.mark.parametrize(
    ("command", "has_init", "reason"),
    [
        ("no-such-command", True, Reason.COMMAND_NOT_FOUND),
        ("no-such-command", False, Reason.COMMAND_NOT_FOUND),
        ("/no/such/command", False, Reason.COMMAND_NOT_FOUND),
        ("/app/broken", True, Reason.COMMAND_NOT_FOUND),
        ("/app/broken", False, Reason.COMMAND_NOT_FOUND),
        ("/etc/passwd", True, Reason.NOT_EXECUTABLE),
        ("/etc/passwd", False, Reason.NOT_EXECUTABLE),
        ("/etc", True, Reason.NOT_EXECUTABLE),
        ("/app/binary", False, Reason.NOT_EXECUTABLE),  # an init has a shell try it
    ],
)
def test_commands_that_cannot_be_run(rig: DockerRig, command: str, has_init: bool, reason: Reason) -> None:
    rig.runner._lacks_init = not has_init
    try:
        end = rig.run(command, image=PROGRAM).end
    finally:
        rig.runner._lacks_init = False
    assert (end.reason, end.state, end.started, end.exit_code) == (reason, State.FAILED, None, None), end
    assert repr(command) in end.message


def test_a_program_that_only_speaks_like_an_init_is_believed_to_be_itself(rig: DockerRig) -> None:
    said = "[FATAL tini (7)] exec x failed: No such file or directory"
    end = rig.run(f"sh -c 'echo \"{said}\" >&2; echo more >&2; exit 127'").end
    assert (end.reason, end.exit_code) == (Reason.EXITED, 127)


def test_a_limit_of_memory(rig: DockerRig) -> None:
    end = rig.run("sh -c 'x=a; while true; do x=$x$x; done'", memory=20 << 20).end
    assert (end.reason, end.signal, end.state) == (Reason.OUT_OF_MEMORY, 9, State.FAILED)
    assert "20 MiB" in end.message


def test_limits_are_the_containers(rig: DockerRig) -> None:
    asked = "df /dev/shm | tail -n 1; touch /file; echo $?; touch /tmp/file && echo can; ls /sys/class/net; id -u"
    ran = rig.run(f"sh -c {shlex.quote(asked)}", read_only_root=True, shm_size=1 << 20, network="none", cpus=1000)
    size, *rest = ran.stdout.decode().splitlines()
    assert size.split()[1] == "1024"
    assert rest == ["1", "can", "lo", "0"]
    assert rig.run("grep NoNewPrivs /proc/self/status").stdout.split() == [b"NoNewPrivs:", b"1"]
    assert rig.run("ls /sys/class/net", network="host").stdout.decode().split() == sorted(
        path.name for path in Path("/sys/class/net").iterdir()
    )


def test_an_init_ends_zombies(rig: DockerRig) -> None:
    ran = rig.run("sh -c '(sh -c \"sleep 0.01 & exit\"); sleep 0.2; cat /proc/1/comm; grep -l zombie /proc/*/status'")
    assert ran.stdout == b"docker-init\n"


def test_a_time_out(rig: DockerRig) -> None:
    end = rig.run("sleep 1000", timeout=0.3).end
    assert (end.reason, end.signal) == (Reason.TIMED_OUT, 15)
    assert end.started is not None
    assert end.finished is not None
    assert (end.finished - end.started).total_seconds() >= 0.3


def test_what_does_not_heed_sigterm_is_killed_with_its_children(rig: DockerRig, engine: Docker) -> None:
    going = rig.start("/app/stubborn", image=PROGRAM)
    rig.said(going.job.attempt.uuid, "ready")
    assert going.running.started is not None
    going.end(0.2)
    end = going.wait()
    assert (end.reason, end.signal, end.state) == (Reason.CANCELLED, 9, State.TERMINATED)
    assert engine.left()["containers"] == []


def test_what_is_ended_before_it_starts_is_not_started(rig: DockerRig) -> None:
    job = Job(
        Attempt(uuid4(), 1), Kind.DOCKER, "touch /results/here", {}, container_image=IMAGE, results_path="/results"
    )
    running = Running(job.attempt)
    running.end(Reason.CANCELLED, 5)
    end = rig.runner.run(job, running)
    assert (end.reason, end.started) == (Reason.CANCELLED, None)
    assert list(rig.folders.of(job.attempt).results.iterdir()) == []


def test_twenty_at_once(rig: DockerRig) -> None:
    going = [rig.start(f"echo {number}") for number in range(20)]
    assert [rig.ran(each).stdout for each in going] == [f"{number}\n".encode() for number in range(20)]


def test_much_output_takes_no_memory(rig: DockerRig) -> None:
    size = 200_000_000
    before = peak()
    going = rig.start(f"sh -c 'yes {'x' * 99} | head -c {size}; yes e | head -c 1000000 >&2'")
    going._thread.join(4 * BOUND)
    ran = rig.folders.of(going.job.attempt)
    assert going.ended is not None
    assert going.ended.exit_code == 0
    assert (ran.stdout.stat().st_size, ran.stderr.stat().st_size) == (size, 1_000_000)
    assert peak() - before < 40 << 20
    ran.stdout.unlink()


def test_a_program_may_close_its_output(rig: DockerRig) -> None:
    end = rig.run("sh -c 'exec >&- 2>&-; sleep 0.3; exit 4'").end
    assert (end.reason, end.exit_code) == (Reason.EXITED, 4)


def test_all_jobs_run_as_the_workers_choice(engine: Docker) -> None:
    user = pwd.getpwnam("nobody")
    engine.folder.chmod(0o711)
    rig = DockerRig(engine.folder / "as-nobody", engine.url, run_as=RunAs.named("nobody"))
    try:
        ran = rig.run("sh -c 'id -u; id -g; touch /results/file'", results_path="/results")
        assert ran.stdout.split() == [str(user.pw_uid).encode(), str(user.pw_gid).encode()]
        assert (rig.folders.of(ran.job.attempt).results / "file").stat().st_uid == user.pw_uid
        end = rig.run("id", container_user="0").end
        assert (end.reason, "nobody" in end.message) == (Reason.WORKER_ERROR, True)
    finally:
        rig.close()
