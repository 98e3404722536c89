"""`make bench`: what the embedded system costs, beside a bare process start and a constant request of the same run.

Every round measures each figure once, so that a machine whose speed drifts slows them alike. Quote the ratios.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import requests
from system import median_time, p99, running

import saltant
from saltant.worker.launch import Launch, Launcher

ROUNDS = 5
CREATES = 300
IN_ONE = 1000
FEW, MANY = 1_000, 100_000
Figures = dict[str, list[float]]


def main() -> None:
    """Measure, and print the table."""
    figures: Figures = {}
    with tempfile.TemporaryDirectory(prefix="saltant-bench-") as folder:
        with running(Path(folder) / "data") as client:
            measure(figures, tasks(client) | requests_of(client, FEW) | starts(Path(folder)))
        fill(Path(folder) / "data", MANY)
        with running(Path(folder) / "data") as client:
            measure(figures, {"constant, again": constant(client), f"page of 100, of {MANY}": page(client)})
    print_table({name: statistics.median(values) for name, values in figures.items()})


def measure(figures: Figures, actions: dict[str, Callable[[], float]]) -> None:
    """Run every action once a round, in turn."""
    for action in actions.values():
        action()  # a warm-up
    for _ in range(ROUNDS):
        for name, action in actions.items():
            figures.setdefault(name, []).append(action())


def tasks(client: saltant.Client) -> dict[str, Callable[[], float]]:
    """Seconds for one `/bin/true` to be known as ended, and seconds per task of many created one after another."""
    manager = client.executable_task_instances
    task_type = client.executable_task_types.create(name="true", command_to_run="/bin/true")
    whitelist = client.task_whitelists.get(name="default").add(executable_task_types=[task_type.id])
    queue = client.task_queues.get(name="default")
    if whitelist.id not in queue.whitelists:
        sys.exit("the queue default does not hold the whitelist default")

    def one() -> None:
        job = manager.create(task_type.id, queue.id).wait_until_finished()
        if job.state != "successful":
            sys.exit(f"A /bin/true ended {job.state}: {job.message}")

    def many() -> float:
        started = time.perf_counter()
        uuids = [manager.create(task_type.id, queue.id).uuid for _ in range(CREATES)]
        for uuid in reversed(uuids):
            manager.wait_until_finished(uuid, refresh_period=0.01)
        return (time.perf_counter() - started) / CREATES

    def in_one() -> float:
        jobs = [{"task_type_id": task_type.id, "task_queue_id": queue.id}] * IN_ONE
        started = time.perf_counter()
        ended = manager.wait_many(job.uuid for job in manager.create_many(jobs))
        seconds = time.perf_counter() - started
        if any(job.state != "successful" for job in ended):
            sys.exit("A /bin/true of many did not succeed")
        return seconds / IN_ONE

    alone = {"latency": lambda: median_time(one, 20), "latency, p99": lambda: p99(one, 100)}
    return {**alone, "task": many, f"task, of {IN_ONE} at once": in_one}


def requests_of(client: saltant.Client, rows: int) -> dict[str, Callable[[], float]]:
    """Seconds for single requests; `rows` instances are there at least."""
    manager = client.executable_task_instances
    task_type, queue = client.executable_task_types.get(name="true"), client.task_queues.get(name="default")
    uuids = [manager.create(task_type.id, queue.id).uuid for _ in range(rows)]
    for uuid in uuids:
        manager.wait_until_finished(uuid, refresh_period=0.05)
    url = f"{client.base_api_url}executabletaskinstances/{uuids[0]}/"
    return {
        "constant": constant(client),
        "get one": lambda: median_time(lambda: client.session.get(url).raise_for_status()),
        f"page of 100, of {rows}": page(client),
    }


def constant(client: saltant.Client) -> Callable[[], float]:
    """Seconds for a request whose answer is always the same."""
    url = client.base_api_url.replace("/api/", "/healthz")
    session = requests.Session()
    return lambda: median_time(lambda: session.get(url, timeout=10).raise_for_status())


def page(client: saltant.Client) -> Callable[[], float]:
    """Seconds for the first page of instances."""
    url = f"{client.base_api_url}executabletaskinstances/?page_size=100"
    return lambda: median_time(lambda: client.session.get(url).raise_for_status(), 50)


def starts(folder: Path) -> dict[str, Callable[[], float]]:
    """Seconds for a bare process, and for one under a shim."""
    launcher = Launcher(folder)

    def launch() -> None:
        marks = {b"JOB_UUID": str(uuid4()).encode(), b"JOB_LOGS_DIRECTORY": os.fsencode(folder), b"PATH": b"/bin"}
        with Path(os.devnull).open("w") as null:
            out = null.fileno()
            with launcher.start(Launch([b"/bin/true"], marks, folder, stdout=out, stderr=out)) as process:
                process.wait()

    return {
        "process": lambda: median_time(lambda: subprocess.run(["/bin/true"], check=True)),
        "shim": lambda: median_time(launch),
    }


def fill(data_dir: Path, rows: int) -> None:
    """Add ended instances, straight into the database."""
    from saltant.cli.database import open_database

    open_database(data_dir)
    from saltant.server.tasks.models import TaskInstance

    pattern = TaskInstance.objects.first()
    if pattern is None:
        sys.exit("there is no instance to copy")

    def copy() -> TaskInstance:
        new = TaskInstance()
        new.__dict__.update(
            {k: v for k, v in vars(pattern).items() if k not in ("_state", "id")}, uuid=uuid4(), id=None
        )
        return new

    for _ in range(0, rows, 5000):
        TaskInstance.objects.bulk_create([copy() for _ in range(5000)])


def print_table(seconds: dict[str, float]) -> None:
    """Each figure, and the ratios that have a goal."""
    print(f"cores {os.cpu_count()}, medians of {ROUNDS} interleaved rounds\n")
    for name, value in seconds.items():
        print(f"{name:24}{value * 1000:9.2f} ms{1 / value:9.0f} /s")
    few, many = seconds[f"page of 100, of {FEW}"], seconds[f"page of 100, of {MANY}"]
    again = seconds["constant, again"]
    ratios = {
        "create until known as ended, ms": (seconds["latency"] * 1000, "at most 25"),
        "create until known as ended / constant": (seconds["latency"] / seconds["constant"], "at most 8"),
        "the same, p99 / constant": (seconds["latency, p99"] / seconds["constant"], "at most 25"),
        "tasks per second, created one by one": (1 / seconds["task"], "at least 120"),
        "tasks / bare process starts": (seconds["process"] / seconds["task"], "at least 0.12"),
        f"{IN_ONE} in one request / bare process starts": (
            seconds["process"] / seconds[f"task, of {IN_ONE} at once"],
            "at least 0.25",
        ),
        "get one / constant request": (seconds["constant"] / seconds["get one"], "at least 0.5"),
        "page of 100 / constant request": (seconds["constant"] / few, "at least 0.12"),
        f"page of 100: {MANY} rows / {FEW} rows": ((many / again) / (few / seconds["constant"]), "at most 1.3"),
        "shim over a bare start, ms": ((seconds["shim"] - seconds["process"]) * 1000, "at most 3"),
    }
    print()
    for name, (value, goal) in ratios.items():
        print(f"{name:44}{value:9.2f}   goal: {goal}")


if __name__ == "__main__":
    main()
