"""Whether what saltant tells of the instances is what happened: its records beside what the jobs wrote themselves."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from saltant.models.attempt import TaskAttempt
from saltant.models.executable_task_instance import ExecutableTaskInstance
from tests.chaos.jobs import OF, Kind, Run
from tests.chaos.monkey import CUT, LAUNCHER, SHIM, WORKER, Act

HURT = (WORKER, LAUNCHER, SHIM, CUT)
"""What an attempt may be lost for. A server or a broker that is killed costs none."""
SLACK = 3.0
"""Seconds after an act in which it still has consequences: requests that were on their way arrive."""
CLOCKS = 0.5
"""Seconds by which the times of different processes may be apart."""


@dataclass
class Record:
    """An instance and its attempts, as the server tells of them."""

    instance: ExecutableTaskInstance
    attempts: list[TaskAttempt]
    runs: list[Run] = field(default_factory=list)

    @property
    def kind(self) -> Kind:
        """What it runs."""
        return OF[self.instance.name.partition("-")[2]]

    def runs_of(self, attempt: TaskAttempt) -> list[Run]:
        """The runs of one of its attempts: those on its worker from its claim to that worker's next one."""
        mine = [each for each in self.attempts if each.worker == attempt.worker]
        following = [claimed(each) for each in mine if each.number > attempt.number]
        until = min(following, default=float("inf"))
        return [
            run
            for run in self.runs
            if run.worker == attempt.worker and claimed(attempt) - CLOCKS <= run.started < until - CLOCKS
        ]


@dataclass
class Truth:
    """All that is known when all is over.

    Attributes:
        names: the names of what was submitted.
        answered: the UUIDs that the server told the submitter.
        terminated: those that somebody asked to be ended.
        records: what the server tells.
        acts: what was killed and cut.
    """

    names: Collection[str]
    answered: Collection[str]
    terminated: Collection[str]
    records: Mapping[str, Record]
    acts: list[Act]

    def faults(self) -> list[str]:
        """Everything that must not be."""
        found = [f"{uuid} is lost: the server had answered for it" for uuid in set(self.answered) - set(self.records)]
        here = {record.instance.name for record in self.records.values()}
        found += [f"no instance is named {name}" for name in sorted(set(self.names) - here)]
        found += [f"an instance is named {name}, which nobody submitted" for name in sorted(here - set(self.names))]
        for uuid, record in self.records.items():
            told = ", ".join(f"{a.number} {a.worker} {a.reason} ({a.message})" for a in record.attempts)
            found += [
                f"{uuid} ({record.instance.name}, {record.instance.state}, {record.instance.reason}): {fault} [{told}]"
                for fault in self._faults_of(record)
            ]
        return found

    def _faults_of(self, record: Record) -> Iterator[str]:
        instance, attempts = record.instance, record.attempts
        if not instance.is_finished or instance.datetime_finished is None:
            yield "not finished"
            return
        yield from self._faults_of_end(record)
        if [each.number for each in attempts] != list(range(1, len(attempts) + 1)):
            yield "an attempt is missing"
        if len(attempts) > record.kind.limits.get("max_attempts", 1):
            yield f"{len(attempts)} attempts are too many"
        if sum(each.reason == "exited" for each in attempts) > 1:
            yield "completed by two attempts"
        if any(each.reason != "lost" for each in attempts[:-1]):
            yield "an attempt followed one that was not lost"
        for attempt in attempts:
            yield from self._faults_of_attempt(record, attempt)
        if sum(len(record.runs_of(attempt)) for attempt in attempts) != len(record.runs):
            yield "it ran outside of its attempts"
        if any(run.started > instance.datetime_finished.timestamp() + CLOCKS for run in record.runs):
            yield "it was started after its end"
        for one, following in zip(record.runs, record.runs[1:], strict=False):
            if one.ended is not None and one.ended > following.started:
                yield "two of its attempts ran at once"

    def _faults_of_end(self, record: Record) -> Iterator[str]:
        """What is wrong with the state and the reason of the instance."""
        instance = record.instance
        last = record.attempts[-1] if record.attempts else None
        was_terminated = instance.uuid in self.terminated
        if instance.state == "terminated":
            if instance.reason != "cancelled" or not was_terminated:
                yield "nobody terminated it"
            return
        if last is None:
            yield "it ended without an attempt"
            return
        if (instance.reason, instance.exit_code) != (last.reason, last.exit_code):
            yield "its end is not that of its last attempt"
        if (instance.state == "successful") != (last.reason == "exited" and last.exit_code == 0):
            yield "its state is not that of its last attempt"
        if last.reason == "lost" and (len(record.attempts) < record.kind.limits.get("max_attempts", 1)):
            yield "it was lost and has attempts left"
        if last.reason == "lost" and was_terminated and instance.cancelled_by:
            yield "it was terminated, and was called lost"

    def _faults_of_attempt(self, record: Record, attempt: TaskAttempt) -> Iterator[str]:
        """Whether the reason of an attempt is true."""
        runs = record.runs_of(attempt)
        if len(runs) > 1:
            yield f"attempt {attempt.number} was run {len(runs)} times"
        begin, end = claimed(attempt), finished(attempt)
        ended = runs[0].ended if runs else None
        if attempt.reason == "exited":
            if ended is None or attempt.exit_code != record.kind.code:
                yield f"attempt {attempt.number} did not exit with {attempt.exit_code}"
        elif attempt.reason == "lost":
            # A program that came to its end is lost only if what was to tell of it was hurt afterwards.
            if not self._was_hurt(attempt.worker, ended or begin, end):
                yield f"attempt {attempt.number} was lost although {attempt.worker} was well"
        elif attempt.reason == "cancelled":
            if record.instance.uuid not in self.terminated:
                yield f"nobody cancelled attempt {attempt.number}"
        elif attempt.reason == "worker_error":
            if runs or not self._was_hurt(attempt.worker, begin, end):
                yield f"attempt {attempt.number} failed although {attempt.worker} was well"
        else:
            yield f"attempt {attempt.number} cannot have ended as {attempt.reason}"

    def _was_hurt(self, worker: str, begin: float, end: float) -> bool:
        return any(
            act.what in HURT and act.worker == worker and act.begin <= end + CLOCKS and act.end + SLACK >= begin
            for act in self.acts
        )

    def summary(self) -> list[str]:
        """The counts, for people."""
        records = list(self.records.values())
        ends = Counter(f"{record.instance.state} ({record.instance.reason})" for record in records)
        numbers = Counter(len(record.attempts) for record in records)
        reasons = Counter(str(attempt.reason) for record in records for attempt in record.attempts)
        twice = sum(sum(run.ended is not None for run in record.runs) > 1 for record in records)
        return [
            f"submitted: {len(self.names)}; found: {len(records)}, so {len(records) - len(self.names)} twice, for"
            " answers that were lost",
            f"ends: {_list(ends)}",
            f"attempts: {_list(reasons)}; per instance: {_list(numbers)}",
            f"programs that were started: {sum(len(record.runs) for record in records)}; instances of which two came"
            f" to their end, the first untold: {twice}",
            f"acts: {_list(Counter(act.what for act in self.acts))}",
        ]


def claimed(attempt: TaskAttempt) -> float:
    """When an attempt was claimed."""
    assert attempt.datetime_claimed is not None
    return attempt.datetime_claimed.timestamp()


def finished(attempt: TaskAttempt) -> float:
    """When nothing of it was left, as far as its worker or else the server knows."""
    return float("inf") if attempt.datetime_finished is None else attempt.datetime_finished.timestamp()


def _list(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{what}: {count}" for what, count in sorted(counts.items(), key=lambda each: str(each[0])))
