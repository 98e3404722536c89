"""A command of somebody's as a task type that runs exactly that."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from saltant.cli.failures import USAGE, Failure

LONGEST = 400
"""Characters of a `command_to_run`."""
LONGEST_NAME = 60
ARGUMENT = "command"
RUNNER = (
    "import hashlib,json,os,sys\n"
    "t=sys.argv[1]\n"
    "if hashlib.sha256(t.encode()).hexdigest()!={digest}: sys.exit({refusal})\n"
    "a=json.loads(t)[{key}]\n"
    "try: os.execvp(a[0],a)\n"
    "except OSError as e: print(a[0]+{colon}+e.strerror,file=sys.stderr); sys.exit(126+(e.errno==2))"
)
"""Runs a command that is too long for a type: it comes as the argument, and no other is run."""


@dataclass(frozen=True)
class Wanted:
    """What the task type of a command is to be.

    Attributes:
        name: of the user, and the command; the same for the same command.
        command_to_run: as the worker expands and splits it, it is the command again.
        arguments: what the type always gives it.
        image: of a container; None: no container.
    """

    name: str
    command_to_run: str
    arguments: dict[str, Any] = field(default_factory=dict)
    image: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What a type is made with, beside its name."""
        said: dict[str, Any] = {
            "command_to_run": self.command_to_run,
            "required_arguments": [*self.arguments],
            "required_arguments_default_values": self.arguments,
        }
        if self.image is not None:
            said |= {"container_image": self.image, "container_type": "docker"}
        return said

    def is_met_by(self, task_type: Any, user: str) -> bool:
        """Whether a type runs just that, and is the user's: another could change it any moment."""
        return (
            task_type.user == user
            and not task_type.environment_variables
            and not getattr(task_type, "json_file_option", None)
            and all(getattr(task_type, name, None) == value for name, value in self.options.items())
        )


def wanted_for(argv: Sequence[str], user: str, image: str | None) -> Wanted:
    """The type for a command.

    Raises:
        Failure: No program can be given such words.
    """
    for word in argv:
        if "\0" in word or any("\ud800" <= character <= "\udfff" for character in word):
            raise Failure("A word of the command is no text in UTF-8: put it into a script.", USAGE)
    if not argv[0]:
        raise Failure("The command is empty.", USAGE)
    digest = hashlib.sha256(json.dumps([*argv, image]).encode()).hexdigest()
    program = re.sub(r"[^\w.+-]", "", argv[0].rpartition("/")[2])[:LONGEST_NAME] or "command"
    name = f"{user[:120]}-{program}-{digest[:8]}"
    command = quoted(argv)
    if len(command) <= LONGEST:
        return Wanted(name, command, {}, image)
    if image is not None:
        raise Failure(f"The command takes {len(command)} characters, of {LONGEST} at most: use a script.", USAGE)
    arguments = {ARGUMENT: [*argv]}
    said = hashlib.sha256(json.dumps(arguments).encode()).hexdigest()
    code = RUNNER.format(digest=f'"{said}"', refusal='"another command"', key=f'"{ARGUMENT}"', colon='": "')
    return Wanted(name, quoted(["python3", "-c", code]), arguments, image)


def quoted(argv: Sequence[str]) -> str:
    """Words as a `command_to_run` that becomes them again.

    It is expanded before it is split, within quotes too: no name may follow a dollar.

    >>> quoted(["echo", "$HOME", "it's"])
    'echo \\'$\\'\\'HOME\\' \\'it\\'"\\'"\\'s\\''
    """
    return " ".join(_quoted(word) for word in argv)


def _quoted(word: str) -> str:
    return "$''".join(map(_safely, word.split("$"))) if "$" in word else shlex.quote(word)


def _safely(part: str) -> str:
    return shlex.quote(part) if part else ""
