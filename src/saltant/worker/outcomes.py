"""What a process's end means for its attempt."""

import errno
import os
import signal
from typing import Any

from saltant.jobs import End
from saltant.reasons import Reason
from saltant.worker.launch import Outcome

_NOT_FOUND = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
_NOT_EXECUTABLE = (errno.EACCES, errno.EPERM, errno.ENOEXEC, errno.ELOOP, errno.ELIBBAD, errno.EINVAL, errno.EISDIR)


def to_end(outcome: Outcome, ordered: Reason | None) -> End:
    """The end of an attempt; `ordered` is why its worker had it ended, None if it did not."""
    if outcome.failure is not None:
        reason, message = _failure(outcome.failure)
        return End(reason, message, finished=outcome.finished)
    exit_code, signum = _decode(outcome.status)
    if outcome.status is None:
        reason = ordered or Reason.WORKER_ERROR
        message = f"How its program ended is not known: {outcome.message}."
    elif outcome.signalled:
        reason = ordered or Reason.WORKER_ERROR
        message = f"Its program was told to end, and {_tell(exit_code, signum)}."
    elif signum is not None:
        reason = Reason.KILLED
        message = f"Its program {_tell(exit_code, signum)}."
    else:
        reason = Reason.EXITED
        message = "" if exit_code == 0 else f"Its program {_tell(exit_code, signum)}."
    return End(
        reason=reason,
        message=message,
        exit_code=exit_code,
        signal=signum,
        started=outcome.started,
        finished=outcome.finished,
        cpu_seconds=outcome.cpu_seconds,
    )


def _decode(status: int | None) -> tuple[int | None, int | None]:
    if status is None:
        return None, None
    code = os.waitstatus_to_exitcode(status)
    return (code, None) if code >= 0 else (None, -code)


def _tell(exit_code: int | None, signum: int | None) -> str:
    if signum is None:
        return f"exited with code {exit_code}"
    try:
        return f"was killed by signal {signum} ({signal.Signals(signum).name})"
    except ValueError:
        return f"was killed by signal {signum}"


def _failure(failure: dict[str, Any]) -> tuple[Reason, str]:
    path, number, message = failure["path"], failure["errno"], failure["message"]
    if failure["stage"] == "folder":
        return Reason.WORKER_ERROR, f"Its working folder {path} cannot be entered: {message}."
    if failure["stage"] != "execute":
        return Reason.WORKER_ERROR, f"Its process could not be made: {message}."
    if number in _NOT_FOUND:
        if failure["exists"]:
            return Reason.NOT_EXECUTABLE, f"{path} names an interpreter that does not exist."
        return Reason.COMMAND_NOT_FOUND, f"There is no command {path!r}."
    if failure["directory"]:
        return Reason.NOT_EXECUTABLE, f"{path} is a folder."
    if number == errno.ENOEXEC:
        return Reason.NOT_EXECUTABLE, f"{path} is no program, and has no #! line that names an interpreter."
    if number in _NOT_EXECUTABLE:
        return Reason.NOT_EXECUTABLE, f"{path} cannot be executed: {message}."
    return Reason.WORKER_ERROR, f"{path} could not be executed: {message}."
