"""The last steps before a process is the job's program.

Runs in shims: the standard library only, and little of it.
"""

import errno
import json
import os
import signal
from collections.abc import Callable
from typing import NoReturn

from saltant.worker import prctl

_MISSING = (errno.ENOENT, errno.ENOTDIR)

User = tuple[int, int, list[int]]
"""uid, gid, groups."""


class Program:
    """What to run, and how. Travels from worker to shim as bytes: words with NUL after each, as execve(2) has them.

    `user` None: whoever runs this. `timeout` in seconds, None: no limit. `cgroups`: folders of cgroups that it joins.
    `passes_on`: it passes a SIGTERM on to its processes itself, who then must not be sent another.
    """

    __slots__ = ("argv", "cgroups", "environment", "folder", "grace", "passes_on", "timeout", "umask", "user")

    def __init__(
        self,
        argv: list[bytes],
        environment: dict[bytes, bytes],
        folder: bytes,
        grace: float,
        umask: int,
        user: User | None = None,
        timeout: float | None = None,
        cgroups: list[bytes] | None = None,
        passes_on: bool = False,
    ) -> None:
        self.argv = argv
        self.environment = environment
        self.folder = folder
        self.grace = grace
        self.umask = umask
        self.user = user
        self.timeout = timeout
        self.cgroups = cgroups or []
        self.passes_on = passes_on

    def pack(self) -> bytes:
        """The program as bytes. ValueError if one of its words has a NUL."""
        user = b"" if self.user is None else b"%d %d %b" % (*self.user[:2], b" ".join(b"%d" % g for g in self.user[2]))
        timeout = b"" if self.timeout is None else b"%f" % self.timeout
        counts = b"%d %d %d" % (self.passes_on, len(self.cgroups), len(self.environment))
        head = [self.folder, b"%f" % self.grace, b"%d" % self.umask, user, timeout, counts]
        words = [*head, *self.cgroups, *self.environment, *self.environment.values(), *self.argv]
        data = b"\0".join(words)
        if data.count(b"\0") != len(words) - 1:
            raise ValueError("A word, a variable or the folder has a NUL character, which no program can be given.")
        return data

    @classmethod
    def unpack(cls, data: bytes) -> "Program":
        """The program of these bytes."""
        folder, grace, umask, user, timeout, counts, *words = data.split(b"\0")
        passes_on, c, n = map(int, counts.split())
        uid, gid, *groups = map(int, user.split()) if user else (0, 0)
        return cls(
            argv=words[c + 2 * n :],
            environment=dict(zip(words[c : c + n], words[c + n : c + 2 * n], strict=True)),
            folder=folder,
            grace=float(grace),
            umask=int(umask),
            user=(uid, gid, groups) if user else None,
            timeout=float(timeout) if timeout else None,
            cgroups=words[:c],
            passes_on=bool(passes_on),
        )


class CannotStartError(Exception):
    """A program cannot be started."""

    def __init__(self, hindrance: bytes) -> None:
        super().__init__(hindrance)
        self.hindrance = hindrance
        """JSON, as `_describe` makes it."""


def _describe(stage: str, error: OSError | ValueError, path: bytes) -> bytes:
    found = stage == "execute" and os.path.exists(path)  # noqa: PTH110 - bytes
    what = {
        "stage": stage,
        "errno": getattr(error, "errno", None),
        "message": getattr(error, "strerror", None) or str(error),
        "path": os.fsdecode(path),
        "exists": found,
        "directory": found and os.path.isdir(path),  # noqa: PTH112 - bytes
    }
    return json.dumps(what).encode()


def start(program: Program, stdout: int, stderr: int) -> int:
    """Start the program as a child and return its number.

    No signal is ignored or blocked here: the launcher sees to that.
    """
    if program.user is None and not program.cgroups:
        return _spawn(program, stdout, stderr)
    return _fork(program, stdout, stderr)


def _spawn(program: Program, stdout: int, stderr: int) -> int:
    """The usual way: without copying this process, so in half the time."""
    # What cannot be said to posix_spawn the child has from us.
    os.umask(program.umask)
    try:
        os.chdir(program.folder)
    except OSError as error:
        raise CannotStartError(_describe("folder", error, program.folder)) from None
    outputs = [(os.POSIX_SPAWN_DUP2, stdout, 1), (os.POSIX_SPAWN_DUP2, stderr, 2)]

    def run(path: bytes) -> int:
        return os.posix_spawn(path, program.argv, program.environment, file_actions=outputs, setsid=True)

    try:
        return _execute(program, run)
    finally:
        os.chdir("/")


def _fork(program: Program, stdout: int, stderr: int) -> int:
    """Where there are steps to take in the child."""
    report, write = os.pipe2(os.O_CLOEXEC)  # closed by execve
    try:
        me = os.getpid()
        pid = os.fork()
        if pid == 0:
            _become(program, stdout, stderr, write, me)
    except OSError as error:
        os.close(report)
        raise CannotStartError(_describe("fork", error, b"")) from None
    finally:
        os.close(write)
    hindrance = os.read(report, 65536)  # less than a pipe holds, so written at once
    os.close(report)
    if hindrance:
        os.waitpid(pid, 0)
        raise CannotStartError(hindrance)
    return pid


def _become(program: Program, stdout: int, stderr: int, report: int, parent: int) -> NoReturn:
    """Turn this process, a fork of `parent`, into the program; what hinders it is written to `report`."""
    stage = "prepare"
    try:
        for cgroup in program.cgroups:
            stage = "cgroup"
            _join(cgroup)
        stage = "prepare"
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
        _execute(program, lambda path: os.execve(path, program.argv, program.environment))  # noqa: S606 - no shell
    except CannotStartError as error:
        os.write(report, error.hindrance)
    except (OSError, ValueError) as error:
        os.write(report, _describe(stage, error, program.folder))
    finally:
        os._exit(127)


def _join(cgroup: bytes) -> None:
    fd = os.open(cgroup + b"/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC)
    os.write(fd, b"0")  # whoever writes it
    os.close(fd)


def _execute(program: Program, run: Callable[[bytes], int]) -> int:
    """`run` the first word, found through the job's own PATH. CannotStartError says why that did not go."""
    name = program.argv[0]
    if b"/" in name:
        places = [name]
    else:
        path = program.environment.get(b"PATH", os.fsencode(os.defpath))
        places = [os.path.join(folder, name) for folder in path.split(b":")] if name else []  # noqa: PTH118 - bytes
    refused: tuple[bytes, OSError | ValueError] | None = None
    for place in places:
        if len(places) > 1 and not os.path.exists(place):  # noqa: PTH110 - bytes
            continue
        try:
            return run(place)
        except (OSError, ValueError) as error:
            refused = refused or (place, error)
            # It is there, but may not be executed or lacks its interpreter: another folder may have a better one.
            if getattr(error, "errno", None) not in (*_MISSING, errno.EACCES):
                refused = (place, error)
                break
    if refused is None:
        refused = (name, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
    raise CannotStartError(_describe("execute", refused[1], refused[0]))
