"""What the instances run: short jobs that write down for themselves what becomes of them."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from saltant.models._limits import Limits
from saltant.models.executable_task_type import ExecutableTaskType
from tests.acceptance.system import Site

SCRIPT = """#!/bin/sh
run="$JOB_UUID $$ $JOB_LOGS_DIRECTORY"
echo "start $run $(date +%s.%N)" >> '{journal}'
{work}
echo "end $run $(date +%s.%N)" >> '{journal}'
exit {code}
"""
# What it leaves behind is deaf to SIGTERM, and has left its session.
TREE = """(trap '' TERM; setsid sh -c 'trap "" TERM; (sleep 600 &); while :; do sleep 600; done' & sleep 600 &)
sleep {seconds}"""


@dataclass(frozen=True)
class Kind:
    """A kind of job: what it does, the code that it exits with, and how many of a hundred are of it."""

    name: str
    work: str
    code: int
    share: int
    is_retried: bool = False

    @property
    def limits(self) -> Limits:
        """The limits of its type."""
        return Limits(max_attempts=3, retry_on="lost", retry_delay=0.2) if self.is_retried else Limits()


KINDS = (
    Kind("true", "true", 0, 15),
    Kind("fails", "true", 3, 15),
    Kind("naps", "sleep 0.3", 0, 15),
    Kind("sleeps", "sleep 2", 0, 20),
    Kind("tree", TREE.format(seconds=0.5), 0, 10),
    Kind("again", "sleep 2", 0, 15, is_retried=True),
    Kind("tree-again", TREE.format(seconds=1.5), 0, 10, is_retried=True),
)
OF = {kind.name: kind for kind in KINDS}


def pick(chance: random.Random) -> Kind:
    """One of the kinds, by their shares."""
    return chance.choices(KINDS, [kind.share for kind in KINDS])[0]


def make_types(site: Site, folder: Path) -> dict[str, ExecutableTaskType]:
    """A task type of each kind, on the queue `default`; they write into `folder`."""
    types = {}
    for kind in KINDS:
        script = folder / kind.name
        script.write_text(SCRIPT.format(journal=folder / "journal", work=kind.work, code=kind.code))
        script.chmod(0o755)
        types[kind.name] = site.executable(f"'{script}'", name=kind.name, **kind.limits)
    return types


@dataclass
class Run:
    """One program that was started, as it told of itself. Times are those of `time.time`."""

    uuid: str
    worker: str
    started: float
    ended: float | None = None


def read_runs(lines: Iterable[str], folder: Path) -> list[Run]:
    """The runs of the workers whose folders lie in `folder`, first started first."""
    runs: dict[tuple[str, str, str], Run] = {}
    for line in lines:
        what, uuid, pid, logs, time = line.split()
        if what == "start":
            worker = Path(logs).relative_to(folder).parts[0]
            assert (uuid, pid, logs) not in runs
            runs[uuid, pid, logs] = Run(uuid, worker, float(time))
        else:
            runs[uuid, pid, logs].ended = float(time)
    return sorted(runs.values(), key=lambda run: run.started)
