"""`python bench/cli.py`: what it costs to start the command line, beside `python -c 'import click'`.

Every round measures all of them, so that a machine whose speed drifts slows them alike. Quote the ratios.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 15
BIN = Path(sys.executable).parent
BARE = [sys.executable, "-c", "import click"]
STARTS = {
    "saltant --help": [str(BIN / "saltant"), "--help"],
    "saltant --version": [str(BIN / "saltant"), "--version"],
    "saltant ps --help": [str(BIN / "saltant"), "ps", "--help"],
    "saltant-cli --help": [str(BIN / "saltant-cli"), "--help"],
    "saltant-cli task-queues list --help": [str(BIN / "saltant-cli"), "task-queues", "list", "--help"],
}


def seconds(command: list[str]) -> float:
    """How long a command takes."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure, and print the figures."""
    for command in (BARE, *STARTS.values()):
        seconds(command)  # so that all are compiled
    rounds = [[seconds(command) for command in (BARE, *STARTS.values())] for _ in range(ROUNDS)]
    bare = statistics.median(each[0] for each in rounds)
    print(f"{'import click, ms':44}{bare * 1000:9.0f}")
    for place, name in enumerate(STARTS, 1):
        ratio = statistics.median(each[place] / each[0] for each in rounds)
        print(f"{name + ', times that':44}{ratio:9.2f}   goal: at most 3")


if __name__ == "__main__":
    main()
