"""Why an instance ended: a fixed list, each with a sentence for people."""

from enum import StrEnum

from saltant.states import State


class Reason(StrEnum):
    """Why a task instance ended.

    >>> print(Reason.LOST.sentence)
    Its worker, or the process that watched over it, was lost while it ran.
    """

    EXITED = "exited"
    KILLED = "killed"
    TIMED_OUT = "timed_out"
    LOST = "lost"
    CANCELLED = "cancelled"
    COMMAND_NOT_FOUND = "command_not_found"
    NOT_EXECUTABLE = "not_executable"
    ENVIRONMENT_MISSING = "environment_missing"
    OUT_OF_MEMORY = "out_of_memory"
    IMAGE_PULL_FAILED = "image_pull_failed"
    ENGINE_UNAVAILABLE = "engine_unavailable"
    NEVER_CLAIMED = "never_claimed"
    QUEUE_TIMEOUT = "queue_timeout"
    SERVER_STOPPED = "server_stopped"
    WORKER_ERROR = "worker_error"
    REPORTED = "reported"
    DEPENDENCY_FAILED = "dependency_failed"

    @property
    def sentence(self) -> str:
        """What it means, for people."""
        return SENTENCES[self]


SENTENCES: dict[Reason, str] = {
    Reason.EXITED: "Its program ended by itself.",
    Reason.KILLED: "Its program was killed by a signal that saltant did not send.",
    Reason.TIMED_OUT: "It ran for longer than its timeout and was ended.",
    Reason.LOST: "Its worker, or the process that watched over it, was lost while it ran.",
    Reason.CANCELLED: "Somebody terminated it.",
    Reason.COMMAND_NOT_FOUND: "Its command does not exist on the worker.",
    Reason.NOT_EXECUTABLE: "Its command exists on the worker but cannot be executed.",
    Reason.ENVIRONMENT_MISSING: "The worker lacks, or keeps back, an environment variable that its task type names.",
    Reason.OUT_OF_MEMORY: "It used more memory than it may and was killed.",
    Reason.IMAGE_PULL_FAILED: "The image of its container could not be had.",
    Reason.ENGINE_UNAVAILABLE: "The worker's container engine did not answer.",
    Reason.NEVER_CLAIMED: "No worker claimed it within the time that the server allows.",
    Reason.QUEUE_TIMEOUT: "No worker claimed it within its own queue_timeout.",
    Reason.SERVER_STOPPED: "Its server was stopped while it ran.",
    Reason.WORKER_ERROR: "Its worker could not run it.",
    Reason.REPORTED: "Its state was reported by a person or a program of theirs.",
    Reason.DEPENDENCY_FAILED: "It was to start after another one had succeeded, and that one did not.",
}


def end_state(reason: Reason, exit_code: int | None) -> State:
    """The state of an instance that ended for `reason` with `exit_code`."""
    if reason is Reason.CANCELLED:
        return State.TERMINATED
    if reason is Reason.EXITED and exit_code == 0:
        return State.SUCCESSFUL
    return State.FAILED


class RetryOn(StrEnum):
    """Which ends an instance with attempts left is started again after."""

    LOST = "lost"
    FAILED = "failed"

    def covers(self, reason: Reason, exit_code: int | None) -> bool:
        """Whether an attempt that ended for `reason` is followed by another."""
        if end_state(reason, exit_code) is not State.FAILED:
            return False
        return reason in LOSSES or (self is RetryOn.FAILED and reason not in HOPELESS)


LOSSES = (Reason.LOST, Reason.SERVER_STOPPED)
"""Ends that say nothing about the job."""

HOPELESS = (Reason.ENVIRONMENT_MISSING, Reason.COMMAND_NOT_FOUND, Reason.NOT_EXECUTABLE, Reason.REPORTED)
"""Failures that another attempt would only repeat, or that somebody reported."""
