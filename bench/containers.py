"""`make bench`: containers, beside the same containers without saltant.

Every round runs each of them once, in turn. Quote the ratios.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests start the same engines

from system import running

import saltant
from tests.services import Missing
from tests.services.apptainer import Apptainer, make_root
from tests.services.docker import IMAGE, Docker

ROUNDS = 50
COMMAND = "/bin/true"


def main() -> None:
    """Measure, and print the table."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="saltant-bench-")))
        alone: dict[str, Callable[[], object]] = {}
        images: dict[str, str] = {}
        try:
            engine = Docker().start()
            stack.callback(engine.stop)
            docker = engine.client()
            stack.callback(docker.close)
            alone["docker"] = lambda: docker.containers.run(IMAGE, [COMMAND], remove=True)
            images["docker"] = IMAGE
            os.environ["SALTANT_DOCKER_HOST"] = engine.url
        except Missing as missing:
            print(f"NOT MEASURED: Docker: {missing}.")
        try:
            apptainer = Apptainer()
            make_root(folder / "root")
            image = str(apptainer.build(folder / "box.sif", folder / "root"))
            words = [apptainer.program, "--silent", "exec", "--containall", "--cleanenv", "--pid", image, COMMAND]
            alone["singularity"] = lambda: subprocess.run(words, check=True)
            images["singularity"] = image
            os.environ["PATH"] = apptainer.path
        except Missing as missing:
            print(f"NOT MEASURED: Apptainer: {missing}.")
        client = stack.enter_context(running(folder / "data"))
        print_table(measure(client, alone, images))


def measure(
    client: saltant.Client, alone: dict[str, Callable[[], object]], images: dict[str, str]
) -> dict[str, tuple[float, float]]:
    """Of each kind, the median seconds alone and through saltant."""
    actions: dict[tuple[str, str], Callable[[], object]] = {}
    for kind, image in images.items():
        actions[kind, "alone"] = alone[kind]
        actions[kind, "saltant"] = through(client, kind, image)
    taken: dict[tuple[str, str], list[float]] = {name: [] for name in actions}
    for action in actions.values():
        action()  # a warm-up
    for _ in range(ROUNDS):
        for name, action in actions.items():
            started = time.perf_counter()
            action()
            taken[name].append(time.perf_counter() - started)
    return {
        kind: (statistics.median(taken[kind, "alone"]), statistics.median(taken[kind, "saltant"])) for kind in images
    }


def through(client: saltant.Client, kind: str, image: str) -> Callable[[], object]:
    """Runs a container until its end is known."""
    task_type = client.container_task_types.create(kind, COMMAND, image, kind)
    client.task_whitelists.get(name="default").add(container_task_types=[task_type.id])
    queue = client.task_queues.get(name="default")

    def run() -> None:
        job = client.container_task_instances.create(task_type.id, queue.id).wait_until_finished(0.01)
        if job.state != "successful":
            sys.exit(f"A container of {kind} ended {job.state}: {job.message}")

    return run


def print_table(seconds: dict[str, tuple[float, float]]) -> None:
    """Each kind's two figures, and their ratio."""
    print(f"\ncontainers: cores {os.cpu_count()}, medians of {ROUNDS} interleaved rounds\n")
    for kind, (alone, saltant_) in seconds.items():
        print(f"{kind:12} alone {alone * 1000:8.1f} ms   saltant {saltant_ * 1000:8.1f} ms", end="   ")
        print(f"ratio {saltant_ / alone:5.2f}   goal: at most 1.25")


if __name__ == "__main__":
    main()
