"""Images for a real Apptainer: pulled from a real registry, once, or not at all."""

import base64
import fcntl
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from saltant.jobs import Job, Kind, PullPolicy
from saltant.reasons import Reason
from saltant.worker.gpus import GpuPool
from saltant.worker.runners.singularity_command import make_command, mount
from saltant.worker.runners.singularity_pull import pull_command
from tests.services import fixtures
from tests.services.registry import PASSWORD, USER, Registry
from tests.unit.worker.container_rig import ContainerRig, image_folder, processes_with
from tests.unit.worker.rig import until

NAME = "lab/tiny:1"


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[str, Path]]:
    with image_folder() as (apptainer, folder):
        yield apptainer.path, folder


@pytest.fixture(scope="module")
def registry(place: tuple[str, Path]) -> Iterator[Registry]:
    with fixtures.obtain(Registry) as registry:
        registry.push(NAME, place[1] / "box", Env=["OWN=of the image"], WorkingDir="/app")
        yield registry


@pytest.fixture
def rig(place: tuple[str, Path], tmp_path: Path) -> Iterator[ContainerRig]:
    rig = ContainerRig(tmp_path / "data", place[0], pull_tries=2)
    yield rig
    rig.close()


def kept(rig: ContainerRig) -> list[str]:
    """What is in the image folder, but for locks."""
    return sorted(path.suffix for path in rig.images.iterdir() if path.suffix != ".lock")


def test_ten_instances_of_a_new_image_make_one_pull(rig: ContainerRig, registry: Registry) -> None:
    uri = f"docker://{registry.image(NAME)}"
    before = registry.pulls(NAME)
    end = rig.run(uri, "true", pull_policy=PullPolicy.NEVER).end
    assert (end.reason, registry.pulls(NAME)) == (Reason.IMAGE_PULL_FAILED, before)
    assert "never" in end.message
    ends = [going.wait() for going in [rig.start(uri, 'sh -c \'test "$OWN" = "of the image"\'') for _ in range(10)]]
    assert {end.exit_code for end in ends} == {0}, ends
    assert registry.pulls(NAME) == before + 1
    [digest] = {end.image_digest for end in ends}
    assert digest.startswith("sha256:")
    assert rig.run(uri, "true", pull_policy=PullPolicy.NEVER).end.image_digest == digest
    assert rig.run(uri, "true", pull_policy=PullPolicy.ALWAYS).end.exit_code == 0
    assert registry.pulls(NAME) == before + 2
    assert kept(rig) == [".digest", ".sif"]


def test_a_private_registry(rig: ContainerRig, place: tuple[str, Path], tmp_path: Path) -> None:
    with fixtures.obtain(Registry, is_private=True) as registry:
        registry.push(NAME, place[1] / "box")
        uri = f"docker://{registry.image(NAME)}"
        end = rig.run(uri, "true").end
        assert (end.reason, "authentication required" in end.message) == (Reason.IMAGE_PULL_FAILED, True), end
        auth = {"auth": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
        (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.image("")[:-1]: auth}}))
        let_in = ContainerRig(tmp_path / "let in", place[0], registry_auth=tmp_path / "config.json")
        ran = let_in.run(uri, "env")
        assert (ran.end.exit_code, PASSWORD.encode() in ran.stdout) == (0, False), ran
        end = let_in.run(f"docker://{registry.image('lab/none:1')}", "true").end
        assert end.reason is Reason.IMAGE_PULL_FAILED
        assert PASSWORD not in end.message
        let_in.close()


def test_images_that_cannot_be_had(rig: ContainerRig, place: tuple[str, Path], registry: Registry) -> None:
    (bad := place[1] / "bad.sif").write_text("no image")
    for image, words in {
        f"docker://{registry.image('lab/none:1')}": "manifest unknown",
        "docker://NO SUCH NAME": "invalid reference",
        "library://lab/tiny:1": "no default remote",
        "tiny.sif": "absolute path",
        "": "absolute path",
        str(place[1] / "absent.sif"): "No such file",
        str(bad): "image format not recognized",
        "/dev/null": "neither a file nor a folder",
        "/": "the worker's own folder",
        str(rig.folders.data / "work"): "the worker's own folder",
    }.items():
        end = rig.run(image, "true").end
        assert (end.reason, end.exit_code, end.started) == (Reason.IMAGE_PULL_FAILED, None, None), (image, end)
        assert words in end.message, (image, end)
    assert kept(rig) == [".digest"]  # that of the bad one


@pytest.fixture
def silent() -> Iterator[str]:
    """A registry that takes connections and says nothing, with an image's name."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"docker://127.0.0.1:{server.getsockname()[1]}/lab/tiny:1"


def test_an_end_while_pulling_is_at_once(rig: ContainerRig, silent: str) -> None:
    first, second = rig.start(silent, "true"), rig.start(silent, "true")
    pulls = until(lambda: processes_with(silent), "it is not pulled")
    until(lambda: kept(rig) == [".part"], "there is no half image")
    assert len({Path(f"/proc/{pid}/exe").resolve() for pid in pulls}) == 1
    for going in (first, second):
        going.end(1000)
        end = going.wait()
        assert (end.reason, end.started, going.running.started) == (Reason.CANCELLED, None, None), end
    assert processes_with(silent) == []
    assert kept(rig) == []


def test_a_pull_has_a_time_and_a_number_of_tries(place: tuple[str, Path], tmp_path: Path, silent: str) -> None:
    rig = ContainerRig(tmp_path / "data", place[0], pull_tries=2, pull_timeout=0.5)
    end = rig.run(silent, "true", timeout=0.1).end
    assert end.reason is Reason.IMAGE_PULL_FAILED, end
    assert "in 2 tries: it took longer than 0.5 s" in end.message
    assert kept(rig) == []
    rig.close()


def test_halves_of_images_are_swept_unless_they_are_being_pulled(rig: ContainerRig) -> None:
    rig.images.mkdir()
    for name in ("left", "held"):
        (rig.images / f"{name}.part").mkdir()
        (rig.images / f"{name}.part" / "image.sif").write_text("half")
    with (rig.images / "held.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        rig.runner.sweep(lambda attempts: attempts)
        assert [path.name for path in rig.images.glob("*.part")] == ["held.part"]
    rig.runner.sweep(lambda attempts: attempts)
    assert list(rig.images.glob("*.part")) == []


def test_a_full_disk(place: tuple[str, Path], tmp_path: Path, registry: Registry) -> None:
    images = tmp_path / "small"
    images.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(images)]
    if os.geteuid() != 0 or subprocess.run(mounted, capture_output=True, check=False).returncode:
        pytest.skip("NOT TESTED: only root can mount a small disk")
    try:
        rig = ContainerRig(tmp_path / "data", place[0], images=images)
        end = rig.run(f"docker://{registry.image(NAME)}", "true").end
        assert (end.reason, "no space left" in end.message) == (Reason.IMAGE_PULL_FAILED, True), end
        assert kept(rig) == []
        rig.close()
    finally:
        subprocess.run(["umount", images], check=True)


def test_gpus_are_asked_for_and_given_back(rig: ContainerRig, place: tuple[str, Path]) -> None:
    """Without a driver Apptainer goes on without it: what the container gets of one is not tested."""
    end = rig.run(place[1] / "box", "true", gpus=1).end
    assert (end.reason, "only 0 are free" in end.message) == (Reason.WORKER_ERROR, True), end
    rig.runner._gpus = GpuPool(1)
    for _ in range(2):
        ran = rig.run(place[1] / "box", "sh -c 'echo $CUDA_VISIBLE_DEVICES'", gpus=1)
        assert (ran.stdout, ran.end.exit_code) == (b"0\n", 0), ran
    job = Job(ran.job.attempt, Kind.SINGULARITY, "true", {}, gpus=1)
    assert "--nv" in make_command("apptainer", Path("/x"), job, rig.folders.of(job.attempt), None)


def test_how_hubs_are_asked() -> None:
    path = Path("/i/image.sif")
    for name in ("shub://lab/tiny", "library://lab/tiny:1", "oras://host/lab/tiny:1", "docker://tiny"):
        words = ["singularity", "--silent", "pull", "--disable-cache", str(path), name]
        assert pull_command("singularity", name, path, False) == words
    assert "build" in pull_command("apptainer", "docker-daemon:tiny:1", path, False)
    assert "--no-https" in pull_command("apptainer", "docker://127.0.0.1:5000/tiny", path, True)


def test_a_mount_is_one_line_of_csv() -> None:
    assert mount(Path('/a,b"c'), "/x:y") == 'type=bind,"source=/a,b""c",destination=/x:y'
