"""The last steps of a forked child before it becomes the job's program.

Runs in the launcher's forks: the standard library only, and little of it.
"""

import errno
import json
import os
import signal
from typing import NoReturn

from saltant.worker import prctl

_MISSING = (errno.ENOENT, errno.ENOTDIR)


class Program:
    """What to run, and how. Travels from worker to shim as bytes: words with NUL after each, as execve(2) has them."""

    __slots__ = ("argv", "environment", "folder", "grace", "umask", "user")

    def __init__(
        self,
        argv: list[bytes],
        environment: dict[bytes, bytes],
        folder: bytes,
        grace: float,
        umask: int,
        user: tuple[int, int, list[int]] | None,
    ) -> None:
        self.argv = argv
        self.environment = environment
        self.folder = folder
        self.grace = grace
        self.umask = umask
        self.user = user  # uid, gid, groups; None for whoever runs this

    def pack(self) -> bytes:
        """The message: its length (4 bytes, big-endian), then its words. ValueError if one of them has a NUL."""
        user = b"" if self.user is None else b"%d %d %b" % (*self.user[:2], b" ".join(b"%d" % g for g in self.user[2]))
        head = [self.folder, b"%f" % self.grace, b"%d" % self.umask, user, b"%d" % len(self.environment)]
        words = [*head, *self.environment, *self.environment.values(), *self.argv]
        data = b"\0".join(words)
        if data.count(b"\0") != len(words) - 1:
            raise ValueError("A word, a variable or the folder has a NUL character, which no program can be given.")
        return len(data).to_bytes(4, "big") + data

    @classmethod
    def unpack(cls, data: bytes) -> "Program":
        """The program of a message, which comes without its length."""
        folder, grace, umask, user, count, *words = data.split(b"\0")
        n = int(count)
        uid, gid, *groups = map(int, user.split()) if user else (0, 0)
        return cls(
            argv=words[2 * n :],
            environment=dict(zip(words[:n], words[n : 2 * n], strict=True)),
            folder=folder,
            grace=float(grace),
            umask=int(umask),
            user=(uid, gid, groups) if user else None,
        )


def become(program: Program, stdout: int, stderr: int, report: int, parent: int) -> NoReturn:
    """Turn this process into the program; what hinders it is written to `report` as JSON.

    `parent` is the process that has to be alive. No signal is ignored or blocked here: the launcher sees to that.
    """
    stage = "prepare"
    path = b""
    try:
        os.setsid()
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        os.umask(program.umask)
        if program.user is not None:
            uid, gid, groups = program.user
            os.setgroups(groups)
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)  # last: after it nothing of this is allowed any more
            prctl.renounce_privileges()
        prctl.die_with_parent(signal.SIGKILL)  # after the change of user, which would undo it
        if os.getppid() != parent:
            os._exit(1)
        stage = "folder"
        os.chdir(program.folder)
        stage = "execute"
        path, error = _execute(program.argv, program.environment)
        raise error
    except (OSError, ValueError) as error:
        found = os.path.exists(path) if path else False  # noqa: PTH110 - bytes
        failure = {
            "stage": stage,
            "errno": getattr(error, "errno", None),
            "message": getattr(error, "strerror", None) or str(error),
            "path": os.fsdecode(path or program.argv[0] if stage == "execute" else program.folder),
            "exists": found,
            "directory": found and os.path.isdir(path),  # noqa: PTH112 - bytes
        }
        os.write(report, json.dumps(failure).encode())
    finally:
        os._exit(127)


def _execute(argv: list[bytes], environment: dict[bytes, bytes]) -> tuple[bytes, OSError]:
    """Execute the first word, found through the job's own PATH; returns what was tried and why it failed."""
    name = argv[0]
    if b"/" in name:
        places = [name]
    else:
        path = environment.get(b"PATH", os.fsencode(os.defpath))
        places = [os.path.join(folder, name) for folder in path.split(b":")] if name else []  # noqa: PTH118 - bytes
    refused: tuple[bytes, OSError] | None = None
    for place in places:
        try:
            os.execve(place, argv, environment)  # noqa: S606 - no shell is what is wanted
        except OSError as error:
            if len(places) == 1:
                return place, error
            if error.errno in (*_MISSING, errno.EACCES):
                # It is there, but may not be executed or lacks its interpreter: another folder may have a better one.
                if refused is None and os.path.exists(place):  # noqa: PTH110 - bytes
                    refused = (place, error)
                continue
            return place, error
    return refused or (b"", FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
