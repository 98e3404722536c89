"""What a process's end means for its attempt."""

import errno
import os
import signal
from typing import Any

from saltant.jobs import End, Job
from saltant.reasons import Reason
from saltant.worker.cgroups import Usage
from saltant.worker.launch import Outcome

_NOT_FOUND = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
_NOT_EXECUTABLE = (errno.EACCES, errno.EPERM, errno.ENOEXEC, errno.ELOOP, errno.ELIBBAD, errno.EINVAL, errno.EISDIR)


def to_end(outcome: Outcome, ordered: Reason | None, job: Job, usage: Usage | None = None) -> End:
    """The end of an attempt.

    Args:
        outcome: what became of its program.
        ordered: why its worker had it ended, None if it did not.
        job: what was run, for its limits.
        usage: what its cgroup counted, None if it had none.
    """
    if outcome.failure is not None:
        reason, message = _failure(outcome.failure)
        return End(reason, message, finished=outcome.finished)
    usage = usage or Usage()
    exit_code, signum = _decode(outcome.status)
    told = tell(exit_code, signum)
    if outcome.status is None:
        # A shim that is killed may have started its program, and not have told.
        failed_to_start = outcome.broken and outcome.started is None
        reason = ordered or (Reason.WORKER_ERROR if failed_to_start else Reason.LOST)
        message = f"How its program ended is not known: {outcome.message}."
    elif outcome.timed_out:
        reason = Reason.TIMED_OUT
        message = f"It ran for longer than its timeout of {job.timeout:g} s, and {told}."
    elif outcome.signalled:
        reason = ordered or Reason.LOST
        why = "Its program was told to end" if ordered else "The process that starts jobs was killed, so it was ended"
        message = f"{why}, and {told}."
    elif usage.oom_kills and exit_code != 0:
        reason = Reason.OUT_OF_MEMORY
        message = f"It needed more memory than its limit of {size(job.memory)}: its program {told}."
    elif signum is not None:
        reason = Reason.KILLED
        message = f"Its program {told}."
    else:
        reason = Reason.EXITED
        message = "" if exit_code == 0 else f"Its program {told}."
    return End(
        reason=reason,
        message=message,
        exit_code=exit_code,
        signal=signum,
        started=outcome.started,
        finished=outcome.finished,
        cpu_seconds=outcome.cpu_seconds if usage.cpu_seconds is None else usage.cpu_seconds,
        peak_memory=outcome.peak_memory if usage.peak_memory is None else usage.peak_memory,
    )


def _decode(status: int | None) -> tuple[int | None, int | None]:
    if status is None:
        return None, None
    code = os.waitstatus_to_exitcode(status)
    return (code, None) if code >= 0 else (None, -code)


def tell(exit_code: int | None, signum: int | None) -> str:
    """What a program did: in a sentence, after the program."""
    if signum is None:
        return f"exited with code {exit_code}"
    try:
        return f"was killed by signal {signum} ({signal.Signals(signum).name})"
    except ValueError:
        return f"was killed by signal {signum}"


def size(number: int | None) -> str:
    """Bytes, in the largest unit that says them exactly."""
    if number is None:
        return "its worker's"
    for power, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if number >= 1 << power and number % (1 << power) == 0:
            return f"{number >> power} {unit}"
    return f"{number} bytes"


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
