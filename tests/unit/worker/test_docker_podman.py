"""Podman behind Docker's interface: where it differs from Docker, and what is promised all the same."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from saltant.reasons import Reason
from tests.services.docker import Podman
from tests.services.fixtures import obtain
from tests.unit.worker.docker_rig import DockerRig, Wire, processes_of
from tests.unit.worker.rig import until

COUNT = "sh -c 'for i in $(seq 1 200); do echo line $i; usleep 5000; done; echo err >&2; exit 3'"
COUNTED = "".join(f"line {number}\n" for number in range(1, 201)).encode()


@pytest.fixture(scope="module")
def engine() -> Iterator[Podman]:
    engine = obtain(Podman)
    try:
        yield engine.start()
        assert engine.left()["containers"] == []
    finally:
        engine.stop()
    until(lambda: not processes_of(engine.folder), "processes are left")


@pytest.fixture(scope="module")
def rig(engine: Podman) -> Iterator[DockerRig]:
    rig = DockerRig(engine.folder / "worker", engine.url, values={"WANTED": "a b\nä"}, pull_tries=1)
    assert rig.runner.why_not() == ""
    assert rig.runner._engine.facts().is_podman
    yield rig
    rig.close()


def test_what_a_program_sees(rig: DockerRig) -> None:
    arguments = {"a": "x\n\"'$é😀"}
    program = "cat /proc/self/cmdline /proc/self/environ; touch /logs/l /results/r; echo err >&2; exit 3"
    ran = rig.run(
        f"sh -c '{program}' 'a  b' ''",
        arguments,
        environment_variables=["WANTED"],
        logs_path="/logs",
        results_path="/results",
        container_user="1234",
        memory=100 << 20,
        cpus=0.5,
    )
    assert (ran.end.reason, ran.end.exit_code, ran.stderr) == (Reason.EXITED, 3, "err\n"), ran.end
    assert ran.end.image_digest.startswith("sha256:")
    seen = ran.stdout.split(b"\0")
    assert "WANTED=a b\nä".encode() in seen
    assert f"JOB_UUID={ran.job.attempt.uuid}".encode() in seen
    folders = rig.folders.of(ran.job.attempt)
    assert (folders.logs / "l").stat().st_uid == (folders.results / "r").stat().st_uid == 1234
    assert rig.run("echo", arguments).stdout.decode() == json.dumps(arguments) + "\n"


@pytest.mark.parametrize(
    ("command", "reason"),
    [("no-such-command", Reason.COMMAND_NOT_FOUND), ("/etc/passwd", Reason.NOT_EXECUTABLE)],
)
def test_commands_that_cannot_be_run(rig: DockerRig, command: str, reason: Reason) -> None:
    end = rig.run(command).end
    assert (end.reason, repr(command) in end.message) == (reason, True), end


def test_ends_by_force(rig: DockerRig, engine: Podman) -> None:
    assert rig.run("sleep 1000", timeout=0.3).end.reason is Reason.TIMED_OUT
    going = rig.start("sh -c 'trap \"\" TERM; sleep 1000 & echo ready; sleep 1000'")
    rig.said(going.job.attempt.uuid, "ready")
    going.end(0.2)
    end = going.wait()
    assert (end.reason, end.signal) == (Reason.CANCELLED, 9)
    assert engine.left()["containers"] == []


def test_connections_that_break_lose_neither_output_nor_end(engine: Podman, tmp_path: Path) -> None:
    wire = Wire(tmp_path / "wire", engine.url)
    rig = DockerRig(tmp_path / "data", wire.host)
    try:
        going = rig.start(COUNT)
        for number in (50, 120):
            rig.said(going.job.attempt.uuid, f"line {number}\n")
            wire.cut()
        ran = rig.ran(going)
        assert (ran.end.reason, ran.end.exit_code) == (Reason.EXITED, 3)
        assert (ran.stdout, ran.stderr) == (COUNTED, "err\n")
    finally:
        rig.close()
        wire.close()


def test_an_image_that_cannot_be_pulled(rig: DockerRig) -> None:
    end = rig.run("true", image="127.0.0.1:1/lab/tool:1").end
    assert (end.reason, "refused" in end.message) == (Reason.IMAGE_PULL_FAILED, True)
