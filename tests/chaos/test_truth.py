"""The checker finds each thing that must not be."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from saltant.models.attempt import TaskAttempt
from saltant.models.executable_task_instance import ExecutableTaskInstance
from tests.chaos.jobs import Run
from tests.chaos.monkey import CUT, SUPERVISOR, WORKER, Act
from tests.chaos.truth import Record, Truth


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def attempt(number: int, worker: str, reason: str, begin: float, end: float, code: int | None = None) -> TaskAttempt:
    return TaskAttempt(number, worker, reason, datetime_claimed=at(begin), datetime_finished=at(end), exit_code=code)


def instance(name: str, state: str, reason: str, end: float | None, code: int | None = None) -> ExecutableTaskInstance:
    manager: Any = None
    finished = None if end is None else at(end)
    return ExecutableTaskInstance(
        name, name, state, None, 1, 1, at(0), finished, {}, manager, reason=reason, exit_code=code
    )


def made() -> Truth:
    """One that succeeded, one whose first attempt was lost to a kill of its worker, one that was lost to a cut."""
    records = [
        Record(
            instance("0-naps", "successful", "exited", 3, 0),
            [attempt(1, "a", "exited", 1, 3, 0)],
            [Run("0-naps", "a", 1.1, 2.9)],
        ),
        Record(
            instance("1-again", "successful", "exited", 30, 0),
            [attempt(1, "a", "lost", 20, 22), attempt(2, "b", "exited", 25, 30, 0)],
            [Run("1-again", "a", 20.1, 20.9), Run("1-again", "b", 25.1, 29.9)],
        ),
        Record(
            instance("2-sleeps", "failed", "lost", 47),
            [attempt(1, "b", "lost", 41, 47)],
            [Run("2-sleeps", "b", 41.1)],
        ),
        Record(instance("3-true", "terminated", "cancelled", 3), []),
    ]
    names = [record.instance.name for record in records]
    acts = [Act(WORKER, "a", 21, 24), Act(CUT, "b", 41, 46), Act(SUPERVISOR, "", 0, 60)]
    return Truth(names, names, ["3-true"], {record.instance.uuid: record for record in records}, acts)


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert made().faults() == []


def drop(truth: Truth) -> None:
    truth.records = {uuid: record for uuid, record in truth.records.items() if uuid != "0-naps"}


def change(uuid: str, **fields: Any) -> Callable[[Truth], None]:
    return lambda truth: vars(truth.records[uuid].instance).update(fields)


def try_again(uuid: str, *attempts: TaskAttempt) -> Callable[[Truth], None]:
    def act(truth: Truth) -> None:
        truth.records[uuid].attempts = list(attempts)

    return act


def run_as(uuid: str, *runs: Run) -> Callable[[Truth], None]:
    def act(truth: Truth) -> None:
        truth.records[uuid].runs = list(runs)

    return act


def spare(*acts: str) -> Callable[[Truth], None]:
    def act(truth: Truth) -> None:
        truth.acts = [each for each in truth.acts if each.what not in acts]

    return act


FIRST, SECOND = attempt(1, "a", "lost", 20, 22), attempt(2, "b", "exited", 25, 30, 0)


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (drop, "0-naps is lost: the server had answered for it"),
        (drop, "no instance is named 0-naps"),
        (change("0-naps", name="9-naps"), "nobody submitted"),
        (change("0-naps", state="running", datetime_finished=None), "not finished"),
        (change("0-naps", state="failed"), "its state is not that of its last attempt"),
        (change("0-naps", reason="lost"), "its end is not that of its last attempt"),
        (change("0-naps", state="terminated", reason="cancelled"), "nobody terminated it"),
        (change("3-true", state="failed", reason="lost"), "it ended without an attempt"),
        (change("0-naps", datetime_finished=at(0.5)), "it was started after its end"),
        (try_again("1-again", SECOND), "an attempt is missing"),
        (try_again("1-again", FIRST), "it was lost and has attempts left"),
        (try_again("1-again", attempt(1, "a", "exited", 20, 22, 0), SECOND), "completed by two attempts"),
        (try_again("1-again", attempt(1, "a", "cancelled", 20, 22), SECOND), "nobody cancelled attempt 1"),
        (try_again("1-again", attempt(1, "a", "killed", 20, 22), SECOND), "cannot have ended as killed"),
        (try_again("1-again", attempt(1, "a", "worker_error", 20, 22), SECOND), "followed one that was not lost"),
        (try_again("1-again", attempt(1, "c", "lost", 20, 22), SECOND), "it ran outside of its attempts"),
        (try_again("0-naps", attempt(1, "a", "lost", 0, 1), attempt(2, "a", "exited", 2, 3)), "are too many"),
        (try_again("0-naps", attempt(1, "a", "exited", 1, 3, 7)), "did not exit with 7"),
        (run_as("0-naps"), "did not exit with 0"),
        (run_as("0-naps", Run("0-naps", "a", 1.1)), "did not exit with 0"),
        (run_as("0-naps", Run("0-naps", "a", 1.1, 1.2), Run("0-naps", "a", 2, 2.9)), "was run 2 times"),
        (run_as("1-again", Run("1-again", "a", 20.1, 26), Run("1-again", "b", 25.1, 29.9)), "ran at once"),
        (run_as("2-sleeps", Run("2-sleeps", "b", 48)), "it was started after its end"),
        (spare(WORKER), "attempt 1 was lost although a was well"),
        (spare(CUT), "attempt 1 was lost although b was well"),
    ],
)
def test_what_is_wrong_is_found(wrong: Callable[[Truth], None], fault: str) -> None:
    truth = made()
    wrong(truth)
    assert any(fault in each for each in truth.faults()), truth.faults()
