"""The example in containers: its images are made without a registry, and run by a `saltant up`."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.system import START, Up
from tests.services.apptainer import Apptainer
from tests.services.docker import Docker
from tests.services.fixtures import obtain

CONTAINERS = Path(__file__).parents[2] / "examples/anagrams/containers"


@pytest.fixture
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The kind of an image, its name, and the environment in which its engine is found."""
    if request.param == "singularity":
        yield "singularity", str(tmp_path / "anagrams.sif"), {"PATH": obtain(Apptainer).path}
        return
    with obtain(Docker) as docker:
        yield "docker", f"anagrams:{uuid.uuid4().hex}", {"DOCKER_HOST": docker.url}


@pytest.mark.parametrize("image", ["docker", "singularity"], indirect=True)
def test_it_runs_and_may_be_repeated(image: tuple[str, str, dict[str, str]], tmp_path: Path) -> None:
    kind, name, environ = image
    command = [CONTAINERS / "make-images", kind, name]
    made = subprocess.run(command, env=os.environ | environ, capture_output=True, text=True, timeout=START)
    assert (made.returncode, made.stderr) == (0, "")
    with Up(tmp_path / "data", environ=environ) as up:
        client = os.environ | {"SALTANT_API_URL": up.url, "SALTANT_AUTH_TOKEN": up.token}
        for _ in range(2):
            words = [sys.executable, CONTAINERS / "example.py", kind, name]
            done = subprocess.run(words, env=client, capture_output=True, text=True, timeout=START)
            assert (done.stdout, done.stderr) == ("binary successful \nlisten successful \nstream successful \n", "")
        [task_type] = up.client.container_task_types.list()
        first = up.client.container_task_instances.list({"task_type": task_type.id})[-1]
        assert (up.data_dir / "results" / first.uuid / "anagrams.txt").read_text() == "binary\nbrainy\n"
        assert "Found 2: binary brainy" in first.logs()
        assert first.image_digest


def test_what_make_images_lacks_it_says(tmp_path: Path) -> None:
    for words, code, says in ((["docker"], 2, "Usage"), (["podman", "x"], 2, "docker or singularity")):
        done = subprocess.run([CONTAINERS / "make-images", *words], capture_output=True, text=True, timeout=START)
        assert (done.returncode, says in done.stderr) == (code, True), done.stderr
