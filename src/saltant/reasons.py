"""Why an instance ended: a fixed list, each with a sentence for people."""

from enum import StrEnum

from saltant.states import State


class Reason(StrEnum):
    """Why a task instance ended.

    >>> print(Reason.LOST.sentence)
    Its worker was lost while it ran.
    """

    EXITED = "exited"
    KILLED = "killed"
    LOST = "lost"
    CANCELLED = "cancelled"
    COMMAND_NOT_FOUND = "command_not_found"
    NOT_EXECUTABLE = "not_executable"
    ENVIRONMENT_MISSING = "environment_missing"
    SERVER_STOPPED = "server_stopped"
    WORKER_ERROR = "worker_error"
    REPORTED = "reported"

    @property
    def sentence(self) -> str:
        """What it means, for people."""
        return SENTENCES[self]


SENTENCES: dict[Reason, str] = {
    Reason.EXITED: "Its program ended by itself.",
    Reason.KILLED: "Its program was killed by a signal that saltant did not send.",
    Reason.LOST: "Its worker was lost while it ran.",
    Reason.CANCELLED: "Somebody terminated it.",
    Reason.COMMAND_NOT_FOUND: "Its command does not exist on the worker.",
    Reason.NOT_EXECUTABLE: "Its command exists on the worker but cannot be executed.",
    Reason.ENVIRONMENT_MISSING: "The worker lacks, or keeps back, an environment variable that its task type names.",
    Reason.SERVER_STOPPED: "Its server was stopped while it ran.",
    Reason.WORKER_ERROR: "Its worker could not run it.",
    Reason.REPORTED: "Its state was reported by a person or a program of theirs.",
}


def end_state(reason: Reason, exit_code: int | None) -> State:
    """The state of an instance that ended for `reason` with `exit_code`."""
    if reason is Reason.CANCELLED:
        return State.TERMINATED
    if reason is Reason.EXITED and exit_code == 0:
        return State.SUCCESSFUL
    return State.FAILED
