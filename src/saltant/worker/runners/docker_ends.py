"""What a container's end means for its attempt."""

import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from saltant.jobs import End, Job
from saltant.reasons import Reason
from saltant.worker.outcomes import size, tell

_KILLED = 128  # plus a signal's number: the exit code of a container whose program was killed by it
_LAST_SIGNAL = signal.SIGSYS  # real-time signals follow: a code as high is a program's own
_INITS = (
    re.compile(r"\[FATAL tini \(\d+\)\] exec (?P<path>.*) failed: (?P<words>[^\n]*)\n", re.DOTALL),
    re.compile(r"(?:ERROR|FATAL) \(catatonit:\d+\): failed to exec pid1: (?P<words>[^\n]*)\n"),
    re.compile(
        r"exec (?P<path>.*): (?P<words>exec format error|no such file or directory|argument list too long)\n", re.DOTALL
    ),  # no init
)
_START = re.compile(r'exec: "(?P<path>(?:[^"\\]|\\.)*)": (?P<words>[^:]*(?:: [^:]*)*)')
_NOT_FOUND = ("not found", "no such file", "not a directory", "file name too long")
_NOT_EXECUTABLE = ("permission denied", "exec format error", "is a directory", "operation not permitted", "invalid arg")


@dataclass(frozen=True, slots=True)
class Seen:
    """How a container ended.

    Attributes:
        state: what the engine says of it; None: nothing, it is gone or the engine is.
        ordered: why its worker had it ended; None if it did not.
        was_away: whether the engine was away while it ran.
        stderr: how its standard error began, where standard output is empty.
        message: what is to be said where `state` is None.
    """

    state: Mapping[str, Any] | None
    ordered: Reason | None
    was_away: bool = False
    stderr: str = ""
    message: str = ""


def to_end(seen: Seen, job: Job, digest: str) -> End:
    """The end of an attempt whose container was started."""
    if seen.state is None:
        reason = seen.ordered or Reason.ENGINE_UNAVAILABLE
        return End(reason, f"How its program ended is not known: {seen.message}", image_digest=digest)
    code = int(seen.state.get("ExitCode") or 0)
    exit_code, signum = decode(code)
    told = tell(exit_code, signum)
    started, finished = times(seen.state)
    if seen.ordered is Reason.TIMED_OUT and job.timeout is not None:
        reason, message = seen.ordered, f"It ran for longer than its timeout of {job.timeout:g} s, and {told}."
    elif seen.ordered is not None:
        reason, message = seen.ordered, f"Its program was told to end, and {told}."
    elif seen.state.get("OOMKilled") and code != 0:
        reason = Reason.OUT_OF_MEMORY
        message = f"It needed more memory than its limit of {size(job.memory)}: its program {told}."
    elif seen.was_away and (code == 255 or signum in (signal.SIGTERM, signal.SIGKILL)):
        # An engine that is stopped ends its containers; one that is killed finds them dead, and says 255.
        reason, message = (
            Reason.ENGINE_UNAVAILABLE,
            f"Its container engine was stopped while it ran: its program {told}.",
        )
    elif (failure := _init_failure(code, seen.stderr)) is not None:
        return End(*failure, finished=finished, image_digest=digest)
    elif signum is not None:
        reason, message = Reason.KILLED, f"Its program {told}."
        if signum == signal.SIGKILL and job.memory is not None:  # Podman does not always say what it was
            message += f" It may have needed more memory than its limit of {size(job.memory)}."
    else:
        reason, message = Reason.EXITED, "" if exit_code == 0 else f"Its program {told}."
    return End(
        reason=reason,
        message=message,
        exit_code=exit_code,
        signal=signum,
        started=started,
        finished=finished,
        image_digest=digest,
    )


def start_failure(words: str) -> End:
    """The end of an attempt whose container the engine could not start."""
    found = _START.search(words)
    if found is None:
        return End(Reason.WORKER_ERROR, f"Its container could not be started: {words}")
    reason, message = _explain(found["path"], found["words"])
    return End(reason, message, finished=datetime.now(UTC))


def is_init_missing(words: str) -> bool:
    """Whether an engine lacks the init that it was asked for."""
    return any(name in words for name in ("docker-init", "catatonit", "container-init", "init binary"))


def decode(code: int) -> tuple[int | None, int | None]:
    """Exit code and signal, one of them, of a container's exit code.

    >>> decode(3), decode(137), decode(255)
    ((3, None), (None, 9), (255, None))
    """
    signum = code - _KILLED
    return (None, signum) if 0 < signum <= _LAST_SIGNAL else (code, None)


def times(state: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    """When the engine says that it started and ended."""
    started, finished = _time(state.get("StartedAt")), _time(state.get("FinishedAt"))
    if started is not None and finished is not None:
        finished = max(started, finished)  # a very short one is seen to end before its start is noted
    return started, finished


def _time(text: object) -> datetime | None:
    """A time as engines tell it: with nanoseconds, and of the year 1 where it is none."""
    if not isinstance(text, str) or text.startswith("0001"):
        return None
    plain = re.sub(r"(\.\d{1,6})\d*", r"\1", text)
    try:
        return datetime.fromisoformat(plain).astimezone(UTC)
    except ValueError:
        return None


def _init_failure(code: int, stderr: str) -> tuple[Reason, str] | None:
    """What is said, as all of the output, by who was to become the program and could not."""
    if code == 0:
        return None
    for pattern in _INITS:
        found = pattern.fullmatch(stderr)
        if found is not None:
            return _explain(found.groupdict().get("path", ""), found["words"])
    return None


def _explain(path: str, words: str) -> tuple[Reason, str]:
    lower = words.lower()
    name = repr(path) if path else "of that name"
    if any(text in lower for text in _NOT_FOUND):
        return Reason.COMMAND_NOT_FOUND, f"There is no command {name} in its image, or no interpreter that it names."
    if any(text in lower for text in _NOT_EXECUTABLE):
        return Reason.NOT_EXECUTABLE, f"The command {name} in its image cannot be executed: {words.strip()}."
    return Reason.WORKER_ERROR, f"The command {name} could not be executed: {words.strip()}."
