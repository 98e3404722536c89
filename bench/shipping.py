"""`make bench`, logs: a job that prints 50 MB, beside the same with its output in a file of its own.

The job's time is its attempt's, from the start of its program to its end. Who follows must have every byte.
"""

import hashlib
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from many import cpu_seconds
from system import running

import saltant

ROUNDS = 5
LINES = 500_000
LINE = "x" * 99
PROGRAM = f"""#!{sys.executable} -I
import sys
out = sys.stdout if len(sys.argv) < 2 or "file" not in sys.argv[1] else open("out.txt", "w")
for _ in range({LINES}):
    print("{LINE}", file=out)
"""
EXPECTED = hashlib.sha256(f"{LINE}\n".encode() * LINES).hexdigest()


def main() -> None:
    """Measure, and print the table."""
    with tempfile.TemporaryDirectory(prefix="saltant-bench-") as folder:
        program = Path(folder) / "print"
        program.write_text(PROGRAM)
        program.chmod(0o755)
        with running(Path(folder) / "data") as client:
            pid = int(subprocess.check_output(["pgrep", "-f", f"saltant up --data-dir {folder}"], text=True).split()[0])
            task_type = client.executable_task_types.create(name="print", command_to_run=str(program))
            client.task_whitelists.get(name="default").add(executable_task_types=[task_type.id])
            seconds: dict[str, list[float]] = {"printed": [], "to a file": []}
            run(client, task_type.id, {})  # a warm-up
            before = memory_of(pid)
            highest = Highest(pid)
            cpu = cpu_seconds(pid)
            for _ in range(ROUNDS):
                seconds["printed"].append(run(client, task_type.id, {}))
                seconds["to a file"].append(run(client, task_type.id, {"to": "file"}))
            cpu = (cpu_seconds(pid) - cpu) / ROUNDS
            grown = highest.stop() - before
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"\nlogs: {LINES * (len(LINE) + 1) // 10**6} MB printed, medians of {ROUNDS} interleaved rounds\n")
    for name, value in medians.items():
        print(f"{name:24}{value * 1000:9.0f} ms")
    print()
    print(f"{'printed / to a file':44}{medians['printed'] / medians['to a file']:9.2f}   goal: less than 1.1")
    print(f"{'memory above rest, MiB':44}{grown / 2**20:9.0f}   goal: flat")
    print(f"{'CPU of `saltant up` for the two, s':44}{cpu:9.2f}")


def run(client: saltant.Client, task_type: int, arguments: dict[str, str]) -> float:
    """Seconds from the program's start to its end; whoever follows it has all that it prints."""
    queue = client.task_queues.get(name="default")
    job = client.executable_task_instances.create(task_type, queue.id, arguments)
    if not arguments:
        found = hashlib.sha256()
        for line in job.logs(follow=True, as_bytes=True):
            found.update(line)
        if found.hexdigest() != EXPECTED:
            sys.exit("the follower has not every byte")
    job.wait_until_finished()
    attempt = job.attempts()[-1]
    if job.state != "successful" or attempt.datetime_started is None or attempt.datetime_finished is None:
        sys.exit(f"it ended {job.state}: {job.message}")
    return (attempt.datetime_finished - attempt.datetime_started).total_seconds()


class Highest:
    """The most memory that a process has, looked at every so often."""

    def __init__(self, pid: int) -> None:
        self.pid, self.most, self._ended = pid, 0, threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            self.most = max(self.most, memory_of(self.pid))

    def stop(self) -> int:
        """End it; returns bytes."""
        self._ended.set()
        self._thread.join()
        return self.most


def memory_of(pid: int) -> int:
    """Its resident memory, in bytes."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) * 1024


if __name__ == "__main__":
    main()
