"""`make bench`: what a task costs on the embedded engine, beside a bare process start and a constant request.

Every round measures each figure once, so that a machine whose speed drifts slows them alike. Quote the ratios.
"""

import os
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import requests

import saltant

ROUNDS = 5
CREATES = 300
SALTANT = [sys.executable, "-m", "saltant"]


def main() -> None:
    """Measure, and print a table."""
    with tempfile.TemporaryDirectory(prefix="saltant-bench-") as folder:
        command = [*SALTANT, "up", "--data-dir", f"{folder}/data", "--port", "0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as up:
            try:
                if up.stdout is None or not up.stdout.readline():
                    sys.exit("saltant up did not start")
                measure(Path(folder) / "data")
            finally:
                up.send_signal(signal.SIGTERM)


def measure(data_dir: Path) -> None:
    """Run the rounds against a running server."""
    env = environment(data_dir)
    client = saltant.Client(env["SALTANT_API_URL"], env["SALTANT_AUTH_TOKEN"])
    manager = client.executable_task_instances
    task_type = client.executable_task_types.create(name="true", command_to_run="/bin/true")
    whitelist = client.task_whitelists.get(name="default")
    client.task_whitelists.patch(whitelist.id, whitelisted_executable_task_types=[task_type.id])
    queue = client.task_queues.get(name="default")
    health = env["SALTANT_API_URL"].replace("/api/", "/healthz")
    session = requests.Session()

    def one_task() -> None:
        job = manager.create(task_type.id, queue.id).wait_until_finished(refresh_period=0.01)
        if job.state != "successful":
            sys.exit(f"A /bin/true ended {job.state}: {job.message}")

    def many_tasks() -> float:
        started = time.perf_counter()
        newest = [manager.create(task_type.id, queue.id).uuid for _ in range(CREATES)]
        for uuid in reversed(newest):
            manager.wait_until_finished(uuid, refresh_period=0.01)
        return CREATES / (time.perf_counter() - started)

    for warm_up in (one_task, one_task):
        warm_up()
    figures: dict[str, list[float]] = {"process": [], "constant": [], "latency": [], "tasks": []}
    for _ in range(ROUNDS):
        figures["process"].append(median_time(lambda: subprocess.run(["/bin/true"], check=True)))
        figures["constant"].append(median_time(lambda: session.get(health, timeout=10).raise_for_status()))
        figures["latency"].append(median_time(one_task, times=20))
        figures["tasks"].append(many_tasks())
    process, constant, latency, tasks = (statistics.median(values) for values in figures.values())
    print(f"cores {os.cpu_count()}, medians of {ROUNDS} interleaved rounds\n")
    print(f"{'bare process start (subprocess.run)':44}{process * 1000:8.2f} ms {1 / process:8.0f} /s")
    print(f"{'request that returns a constant':44}{constant * 1000:8.2f} ms {1 / constant:8.0f} /s")
    print(f"{'/bin/true: create to wait_until_finished':44}{latency * 1000:8.2f} ms   goal 25 ms")
    print(f"{f'/bin/true: {CREATES} creates to all finished':44}{tasks:20.0f} /s   goal 120 /s")
    print(f"\nlatency / (process start + constant request): {latency / (process + constant):.1f}")
    print(f"tasks per second / bare process starts per second: {tasks * process:.3f}")


def environment(data_dir: Path) -> dict[str, str]:
    """What `saltant env` prints."""
    text = subprocess.run([*SALTANT, "env", "--data-dir", str(data_dir)], check=True, capture_output=True, text=True)
    return dict(word.split("=", 1) for word in shlex.split(text.stdout) if word != "export")


def median_time(action: Callable[[], object], times: int = 100) -> float:
    """The median of some runs, in seconds."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        action()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
