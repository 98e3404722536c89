"""Times of the same with few rows and with many, in PostgreSQL: round by round, so that a slow moment hits both."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, cast

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests start the same services

from tests.services import PostgreSQL

FEW, MANY = 1_000, 1_000_000


def compare(script: str, folder: str, what: str, rounds: int) -> None:
    """Print the medians of `rounds` rounds of a script with few rows and with many, and their ratios.

    The script is run with the number of rows, and calls `answer`.
    """
    with ExitStack() as stack:
        server = stack.enter_context(PostgreSQL())
        few, many = (stack.enter_context(_running(script, server.new_database(), rows, folder)) for rows in (FEW, MANY))
        both = [(_next_of(few), _next_of(many)) for _ in range(rounds)]
    print(f"{what:<42}{FEW:>12,}{MANY:>12,}{'ratio':>8}")
    for name in both[0][0]:
        small, big = (statistics.median(each[side][name] for each in both) for side in (0, 1))
        print(f"{name:<42}{small * 1e3:>9.2f} ms{big * 1e3:>9.2f} ms{big / small:>8.2f}")


def answer(actions: Mapping[str, Callable[[], object]]) -> None:
    """Take the time of each action once, in seconds, whenever the other process asks for it."""
    for _ in sys.stdin:
        print(json.dumps({name: _seconds(action) for name, action in actions.items()}), flush=True)


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _next_of(process: subprocess.Popen[str]) -> dict[str, float]:
    """What a process's next round took."""
    asked, answered = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
    print(file=asked, flush=True)
    line = answered.readline()
    if not line:
        sys.exit(f"{process.args!r} has ended with {process.wait()}.")
    taken: dict[str, float] = json.loads(line)
    return taken


@contextmanager
def _running(script: str, database_url: str, rows: int, folder: str) -> Iterator[subprocess.Popen[str]]:
    """A process of its own: Django knows one database."""
    environ = {
        **os.environ,
        "SALTANT_DATABASE_URL": database_url,
        "SALTANT_HOME": folder,
        "DJANGO_SETTINGS_MODULE": "saltant.server.settings",
        "SALTANT_LOG_LEVEL": "error",
    }
    with subprocess.Popen(
        [sys.executable, script, str(rows)], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()
