"""A Docker engine that goes away, images on their way, and what others left behind."""

import base64
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from saltant.jobs import Attempt, PullPolicy
from saltant.reasons import Reason
from saltant.worker.runners.docker_engine import Engine
from tests.services.apptainer import make_root
from tests.services.docker import IMAGE, Docker
from tests.services.fixtures import obtain
from tests.services.registry import PASSWORD, USER, Registry
from tests.unit.worker.docker_rig import DockerRig, Wire
from tests.unit.worker.rig import until

COUNT = "sh -c 'for i in $(seq 1 300); do echo line $i; usleep 5000; done; echo err >&2'"
COUNTED = "".join(f"line {number}\n" for number in range(1, 301)).encode()


@pytest.fixture(scope="module")
def engine() -> Iterator[Docker]:
    engine = obtain(Docker)
    try:
        yield engine.start()
        assert engine.left() == {"containers": [], "volumes": [], "networks": []}
    finally:
        engine.stop()


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    registry = obtain(Registry, is_private=True)
    try:
        registry.start()
        yield registry
    finally:
        registry.stop()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_root(tmp_path_factory.mktemp("image") / "root")


def credentials(path: Path, registry: Registry, password: str = PASSWORD) -> Path:
    auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
    path.write_text(json.dumps({"auths": {f"{registry.host}:{registry.port}": {"auth": auth}}}))
    return path


@pytest.fixture
def rig(engine: Docker, registry: Registry, tmp_path: Path) -> Iterator[DockerRig]:
    auth = credentials(tmp_path / "config.json", registry)
    rig = DockerRig(tmp_path / "data", engine.url, registry_auth=auth, pull_timeout=20, pull_tries=2)
    yield rig
    rig.close()


def test_a_pull_happens_once_for_all_who_wait_and_its_digest_is_kept(
    rig: DockerRig, registry: Registry, root: Path
) -> None:
    digest = registry.push("lab/tool:1", root)
    going = [rig.start("echo ran", image=registry.image("lab/tool:1")) for _ in range(8)]
    ran = [rig.ran(each) for each in going]
    assert [each.stdout for each in ran] == [b"ran\n"] * 8
    assert {each.end.image_digest for each in ran} == {digest}
    asked = [
        line for line in registry.output.splitlines() if "/v2/lab/tool/manifests/1 HTTP" in line and '" 200 ' in line
    ]
    assert len(asked) == 1
    by_digest = rig.run("true", image=registry.image(f"lab/tool@{digest}")).end
    assert (by_digest.exit_code, by_digest.image_digest) == (0, digest)


def test_when_an_image_is_pulled(rig: DockerRig, registry: Registry, root: Path) -> None:
    name = registry.image("lab/moving:1")
    old = registry.push("lab/moving:1", root, Labels={"is": "old"})
    never = rig.run("true", image=name, pull_policy=PullPolicy.NEVER).end
    assert (never.reason, name in never.message) == (Reason.IMAGE_PULL_FAILED, True)
    assert rig.run("true", image=name).end.image_digest == old
    new = registry.push("lab/moving:1", root, Labels={"is": "new"})
    assert rig.run("true", image=name).end.image_digest == old
    assert rig.run("true", image=name, pull_policy=PullPolicy.NEVER).end.image_digest == old
    assert rig.run("true", image=name, pull_policy=PullPolicy.ALWAYS).end.image_digest == new


def test_a_registrys_words_are_told(rig: DockerRig, registry: Registry, root: Path, tmp_path: Path) -> None:
    registry.push("lab/secret:1", root)
    name = registry.image("lab/secret:1")
    missing = rig.run("true", image=registry.image("lab/none:1")).end
    assert (missing.reason, "not found" in missing.message) == (Reason.IMAGE_PULL_FAILED, True), missing
    credentials(tmp_path / "config.json", registry, "wrong-password")
    refused = rig.run("true", image=name).end
    assert refused.reason is Reason.IMAGE_PULL_FAILED
    assert "authentication" in refused.message or "unauthorized" in refused.message, refused
    (tmp_path / "config.json").write_text("{wrong-password")
    broken = rig.run("true", image=name).end
    assert (broken.reason, str(tmp_path / "config.json") in broken.message) == (Reason.IMAGE_PULL_FAILED, True)
    assert "wrong-password" not in refused.message + broken.message
    credentials(tmp_path / "config.json", registry)
    assert rig.run("true", image=name).end.exit_code == 0
    assert rig.run("true", image="NO::name").end.reason is Reason.IMAGE_PULL_FAILED


@pytest.fixture
def silent_registry() -> Iterator[str]:
    """Where a registry takes every question and answers none."""
    listener = socket.create_server(("127.0.0.1", 0))
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    listener.close()


def test_a_job_is_ended_while_its_image_is_pulled(rig: DockerRig, engine: Docker, silent_registry: str) -> None:
    first, second = (rig.start("true", image=f"{silent_registry}/slow:1") for _ in range(2))
    until(lambda: rig.runner._pulls._pulls and len(next(iter(rig.runner._pulls._pulls.values())).waiters) == 2)
    first.end(5)
    assert first.wait().reason is Reason.CANCELLED
    assert second.ended is None
    (pull,) = rig.runner._pulls._pulls.values()
    second.end(5)
    assert second.wait().reason is Reason.CANCELLED
    until(lambda: not pull.is_alive(), "its pull goes on")
    assert rig.runner._pulls._pulls == {}
    assert engine.left()["containers"] == []


def test_a_pull_has_a_time_out_and_tries(engine: Docker, silent_registry: str, tmp_path: Path) -> None:
    rig = DockerRig(tmp_path / "data", engine.url, pull_timeout=0.3, pull_tries=2)
    try:
        end = rig.run("true", image=f"{silent_registry}/slow:1").end
        assert (end.reason, "0.3 s" in end.message) == (Reason.IMAGE_PULL_FAILED, True)
    finally:
        rig.close()


def test_connections_that_break_lose_neither_output_nor_end(engine: Docker, tmp_path: Path) -> None:
    wire = Wire(tmp_path / "wire", engine.url)
    rig = DockerRig(tmp_path / "data", wire.host)
    try:
        going = rig.start(COUNT)
        for number in (50, 120, 200):
            rig.said(going.job.attempt.uuid, f"line {number}\n")
            wire.cut()
        ran = rig.ran(going)
        assert (ran.end.reason, ran.end.exit_code, ran.end.message) == (Reason.EXITED, 0, "")
        assert (ran.stdout, ran.stderr) == (COUNTED, "err\n")
    finally:
        rig.close()
        wire.close()


@pytest.mark.parametrize("is_polite", [True, False])
def test_an_engine_is_stopped_in_the_middle_and_started_again(tmp_path: Path, is_polite: bool) -> None:
    with obtain(Docker) as engine:
        rig = DockerRig(tmp_path / "data", engine.url)
        try:
            going = rig.start("sh -c 'echo ready; sleep 1000'")
            rig.said(going.job.attempt.uuid, "ready")
            if is_polite:
                engine.shut_down()
            else:
                engine.kill()
            assert "There is no Docker engine" in rig.runner.why_not() or "not running" in rig.runner.why_not()
            assert rig.run("true").end.reason is Reason.ENGINE_UNAVAILABLE
            assert going.ended is None
            engine.start()
            ran = rig.ran(going)
            assert ran.end.reason is Reason.ENGINE_UNAVAILABLE, ran.end
            assert ran.stdout == b"ready\n"
            assert engine.left()["containers"] == []
            assert (rig.runner.why_not(), rig.run("echo again").stdout) == ("", b"again\n")
        finally:
            rig.close()


def test_what_is_ended_while_its_engine_is_away_is_not_waited_for_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saltant.worker.runners.docker_container._LATE", 0.5)
    with obtain(Docker) as engine:
        rig = DockerRig(tmp_path / "data", engine.url)
        try:
            going = rig.start("sh -c 'echo ready; sleep 1000'")
            rig.said(going.job.attempt.uuid, "ready")
            engine.kill()
            going.end(0.1)
            end = going.wait()
            assert (end.reason, end.exit_code) == (Reason.CANCELLED, None)
            engine.start()
            rig.runner.sweep(lambda attempts: [])
            assert engine.left()["containers"] == []
        finally:
            rig.close()


def test_what_a_killed_worker_left_is_removed_unless_it_is_live(rig: DockerRig, engine: Docker) -> None:
    client = engine.client()

    def leave(server: str, attempt: Attempt) -> None:
        labels = {"server": server, "worker": "other", "instance": str(attempt.uuid), "attempt": str(attempt.number)}
        client.containers.run(
            IMAGE,
            ["sleep", "1000"],
            detach=True,
            name=f"{server}-{attempt.uuid}",
            labels={f"org.saltant.{name}": value for name, value in labels.items()},
        )

    live, dead, others = (Attempt(uuid4(), number) for number in (1, 2, 3))
    for server, attempt in (("test", live), ("test", dead), ("another", others)):
        leave(server, attempt)
    asked: list[Attempt] = []

    def are_live(attempts: Collection[Attempt]) -> Collection[Attempt]:
        asked.extend(attempts)
        return [live]

    going = rig.start("sh -c 'echo ready; sleep 1000'")
    rig.said(going.job.attempt.uuid, "ready")
    rig.runner.sweep(are_live)
    assert set(asked) == {live, dead}
    assert set(engine.left()["containers"]) == {
        f"test-{live.uuid}",
        f"another-{others.uuid}",
        f"saltant-{going.job.attempt.uuid}.1",
    }
    going.end(0)
    going.wait()
    for name in engine.left()["containers"]:
        client.containers.get(name).remove(force=True)
    client.close()


def test_a_full_disk_does_not_hold_a_program_up(engine: Docker, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(small)], check=True)
    try:
        rig = DockerRig(small / "data", engine.url)
        ran = rig.run("sh -c 'yes | head -c 3000000; exit 5'")
        assert (ran.end.reason, ran.end.exit_code) == (Reason.EXITED, 5)
        assert "No space left on device" in ran.end.message
        assert 500_000 < len(ran.stdout) <= 1 << 20
        rig.close()
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def test_why_an_engine_cannot_be_used(tmp_path: Path) -> None:
    assert "There is no Docker engine at unix:///no/such/socket" in Engine("unix:///no/such/socket").why_not()
    assert "Nothing listens" in Engine("tcp://127.0.0.1:1").why_not()
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "deaf"))
        assert "not running" in Engine(f"unix://{tmp_path}/deaf").why_not()
        deaf.listen()
        begun = time.monotonic()
        assert "does not answer in time" in Engine(f"unix://{tmp_path}/deaf").why_not()
        assert time.monotonic() - begun < 30
    answer = threading.Thread(target=_answer_nonsense, args=(listener := socket.create_server(("127.0.0.1", 0)),))
    answer.start()
    assert Engine(f"tcp://127.0.0.1:{listener.getsockname()[1]}").why_not()
    answer.join()
    assert Engine("nonsense://x").why_not()


def _answer_nonsense(listener: socket.socket) -> None:
    with listener, listener.accept()[0] as client:
        client.recv(1000)
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")


def test_who_may_not_use_an_engine_is_told_of_the_group(engine: Docker) -> None:
    engine.folder.chmod(0o711)
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.write(tell, Engine(engine.url).why_not().encode())
        finally:
            os._exit(0)
    os.close(tell)
    os.waitpid(child, 0)
    assert b"add them to the group docker" in os.read(told, 10_000)
    os.close(told)
