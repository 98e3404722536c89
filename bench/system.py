"""A `saltant up` to measure, and what a figure is."""

import os
import shlex
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import saltant

SALTANT = [sys.executable, "-m", "saltant"]


@contextmanager
def running(data_dir: Path) -> Iterator[saltant.Client]:
    """Start `saltant up` on a folder, and stop it at the end."""
    command = [*SALTANT, "up", "--data-dir", str(data_dir), "--port", "0", "--grace", "2"]
    environ = os.environ | {"SALTANT_LOG_LEVEL": "warning"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environ) as up:
        try:
            if up.stdout is None or not up.stdout.readline():
                sys.exit("saltant up did not start")
            env = environment(data_dir)
            yield saltant.Client(env["SALTANT_API_URL"], env["SALTANT_AUTH_TOKEN"])
        finally:
            up.send_signal(signal.SIGTERM)


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


def p99(action: Callable[[], object], times: int) -> float:
    """What only one run of a hundred exceeds, in seconds."""
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        action()
        taken.append(time.perf_counter() - started)
    return sorted(taken)[int(times * 0.99) - 1]
