"""Apptainer's program, or Singularity's: where it is, how it is called, and what it says when it fails."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from saltant.reasons import Reason
from saltant.worker.launch import Launch, Launcher, Outcome, Process
from saltant.worker.run_as import RunAs

NAMES = ("apptainer", "singularity")
"""The program under its newer name and its older one."""

FAILED = 255
"""The exit code by which the program says that it failed itself. A container's own program may exit with it too."""

_SAID = 65536  # bytes of its words that are looked at
_FAILURES = (
    (
        ("could not open image", "container encryption", "while extracting", "image format"),
        Reason.IMAGE_PULL_FAILED,
        "Its image cannot be used",
    ),
    (
        ("unknown flag", "starter", "user namespace", "setuid", "session directory"),
        Reason.ENGINE_UNAVAILABLE,
        "The worker's Apptainer cannot start containers",
    ),
    (
        ("container creation failed", "failed to set working directory", "while ", "network", "not allowed"),
        Reason.WORKER_ERROR,
        "Apptainer could not start its container",
    ),
)
_LEVEL = re.compile(r"^(FATAL|ERROR|WARNING|INFO)\s*:\s*")


def find_program(path: str) -> str | None:
    """Where it is among the folders of `path`; None: it is nowhere."""
    return next((found for name in NAMES if (found := shutil.which(name, path=path))), None)


def both(values: Mapping[str, str]) -> dict[str, str]:
    """The program's settings, as Apptainer calls them and as SingularityCE does."""
    return {f"{name.upper()}{rest}": value for name in NAMES for rest, value in values.items()}


@dataclass(slots=True)
class Call:
    """A call of the program that the worker makes for itself: what it prints is kept apart from any job's."""

    process: Process
    words: int

    def wait(self) -> tuple[Outcome, str]:
        """How it ended, and what it said."""
        with self.process as process:
            outcome = process.wait()
        try:
            text = os.pread(self.words, _SAID, 0).decode("utf-8", "replace")
        finally:
            os.close(self.words)
        return outcome, text


def call(
    launcher: Launcher,
    argv: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    *,
    timeout: float,
    run_as: RunAs | None = None,
) -> Call:
    """Start the program through the launcher, so that nothing of it outlives the worker."""
    words = os.memfd_create("saltant-words", os.MFD_CLOEXEC)
    try:
        process = launcher.start(
            Launch(
                argv=[os.fsencode(word) for word in argv],
                environment={os.fsencode(name): os.fsencode(value) for name, value in environment.items()},
                folder=folder,
                stdout=words,
                stderr=words,
                grace=1.0,
                run_as=run_as,
                timeout=timeout,
            )
        )
    except BaseException:
        os.close(words)
        raise
    return Call(process, words)


def own_words(text: str) -> str:
    """What the program itself says in what was printed to stderr, in one line; empty: these are others' words.

    It speaks before the container's program does, and of its failure alone, as --silent tells it to.

    >>> own_words("FATAL:   stat /bin/none: no such file or directory\\n")
    'stat /bin/none: no such file or directory'
    >>> own_words("mine\\nFATAL: also mine\\n")
    ''
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or not _LEVEL.match(lines[0]):
        return ""
    fatal = [line for line in lines if line.startswith(("FATAL", "ERROR"))] or lines
    return _LEVEL.sub("", " ".join(line.strip() for line in lines[lines.index(fatal[-1]) :])).strip()


def explain(words: str, command: str) -> tuple[Reason, str] | None:
    """Why a container's program was not started, from what Apptainer said; None: it was, and said so itself."""
    if "executable file not found in $PATH" in words or words == f"stat {command}: no such file or directory":
        return Reason.COMMAND_NOT_FOUND, f"There is no command {command!r} in its image."
    if words == "is a directory":
        return Reason.NOT_EXECUTABLE, f"{command} is a folder in its image."
    if words.startswith(f"exec {command} failed") and words.endswith("no such file or directory"):
        return Reason.NOT_EXECUTABLE, f"{command} in its image names an interpreter that does not exist there."
    if words == "permission denied" or words.startswith(f"exec {command} failed"):
        return Reason.NOT_EXECUTABLE, f"{command} in its image cannot be executed: {words}."
    for signs, reason, sentence in _FAILURES:
        if any(sign in words.lower() for sign in signs):
            return reason, f"{sentence}: {words}."
    return None
