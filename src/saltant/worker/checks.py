"""What `saltant check` looks at on the machine of a worker. It needs no Django."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from saltant.checks import Check, Part, Wrong, run_parts
from saltant.config import Settings, variable_of
from saltant.engine.round_trip import check_round_trip
from saltant.folders import LOCK
from saltant.worker.assembly import IDENTITY
from saltant.worker.cgroups import Cgroups
from saltant.worker.contact import Contact
from saltant.worker.engine_checks import engine_parts
from saltant.worker.launch import Launch, Launcher
from saltant.worker.run_as import RunAs

FREE = 256 * 1024**2
"""Bytes that must be free on the folder's disk."""


NEEDED = ("server_url", "worker_token", "broker_url")


def run_checks(settings: Settings, folder: Path) -> Iterator[Check]:
    """Check what a worker with these settings and this folder needs, one after the other."""
    folder = folder.expanduser().absolute()
    parts = [Part("settings", lambda: check_settings(settings))]
    # What is not set is for "settings" to tell.
    if settings.server_url and settings.worker_token:
        contact = Contact(settings)
        parts += [
            Part("server", contact.check_server, is_remote=True),
            Part("token", contact.check_token, needs=["server"]),
            Part("clock", contact.check_clock, needs=["token"]),
        ]
    if settings.broker_url:
        parts.append(Part("broker", lambda: check_round_trip(settings), is_remote=True))
    parts += [
        Part("folder", lambda: check_folder(folder)),
        Part("disk", lambda: check_disk(folder)),
        Part("run-as", lambda: check_run_as(folder, settings.run_as)),
        Part("launcher", lambda: check_launcher(settings.run_as)),
        Part("limits", lambda: check_limits(folder)),
        *engine_parts(settings),
    ]
    return run_parts(parts, "worker/")


def check_settings(settings: Settings) -> str:
    """What a worker cannot do without is set."""
    missing = [variable_of(name) for name in NEEDED if not getattr(settings, name)]
    if missing:
        raise Wrong(f"A worker lacks {' and '.join(missing)}.", "Set it, the URL of the server also by --server.")
    token = settings.worker_token
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise Wrong("SALTANT_WORKER_TOKEN holds characters that no token has.", "Copy it again.")
    if settings.server_ca and not Path(settings.server_ca).is_file():
        raise Wrong(f"SALTANT_SERVER_CA names {settings.server_ca}, which is no file.", "Correct it, or unset it.")
    return "server, token and broker are set"


def check_folder(path: Path) -> str:
    """It is a worker's, ours, closed to others, and can be written; or it can be made."""
    if not path.exists():
        parent = next(each for each in path.parents if each.exists())
        if not os.access(parent, os.W_OK | os.X_OK):
            raise Wrong(f"{path} cannot be made: {parent} cannot be written.", OTHER_FOLDER)
        return f"{path} is not there yet: the first start makes it"
    try:
        names = {entry.name for entry in path.iterdir()}
    except OSError as error:
        raise Wrong(f"{path} cannot be read: {error.strerror}.", OTHER_FOLDER) from None
    if "saltant.sqlite3" in names:
        raise Wrong(f"{path} is the folder of a `saltant up`.", OTHER_FOLDER)
    if names - {LOCK, f"{IDENTITY}.part"} and IDENTITY not in names:
        raise Wrong(f"{path} holds files that are not saltant's.", OTHER_FOLDER)
    status = path.stat()
    if os.geteuid() not in (0, status.st_uid):
        raise Wrong(f"{path} belongs to another user.", "Run this as who runs the worker.")
    if status.st_mode & 0o066:  # jobs that run as another user pass through, and cannot look around
        raise Wrong(f"Others can list {path}.", f"chmod go-rw {path}")
    check_writable(path)
    return str(path)


OTHER_FOLDER = "Name the worker's folder: SALTANT_DATA_DIR, or `saltant worker --data-dir`."


def check_writable(path: Path) -> None:
    """Raises Wrong where a folder takes no file."""
    try:
        with tempfile.TemporaryFile(dir=path) as written:
            written.write(b"x")
            written.flush()
            os.fsync(written.fileno())
    except OSError as error:
        raise Wrong(f"{path} cannot be written: {error.strerror}.", "Mount it writable, or make room.") from None


def check_disk(path: Path) -> str:
    """There is room in a folder, or where it would be made."""
    place = path if path.is_dir() else next(each for each in path.parents if each.is_dir())
    free = shutil.disk_usage(place).free
    if free < FREE:
        raise Wrong(f"Only {free // 1024**2} MiB are free.", "Make room, or remove old logs and results.")
    return f"{free / 1024**3:.1f} GiB are free"


def check_run_as(folder: Path, name: str) -> str:
    """Jobs' user exists, and can reach their folders."""
    if not name:
        return "jobs run as saltant's own user"
    try:
        user = RunAs.named(name)
    except ValueError as error:
        raise Wrong(str(error), "Make that user, or set SALTANT_RUN_AS to another.") from None
    except PermissionError as error:
        raise Wrong(str(error), "Start saltant (and this) as root, or unset SALTANT_RUN_AS.") from None
    for parent in folder.resolve().parents:  # the folder itself is opened by who uses it
        if parent.is_dir() and not user.may_pass(parent.stat()):
            raise Wrong(
                f"{name} cannot pass through {parent} to reach the jobs' folders.",
                f"chmod o+x {parent}, or choose another --data-dir.",
            )
    return str(user)


def check_launcher(run_as: str) -> str:
    """Jobs can be started: a program that does nothing runs to its end, as a job would, and as whom."""
    user = None
    with suppress(ValueError, PermissionError):  # "run-as" tells of it
        user = RunAs.named(run_as) if run_as else None
    program = shutil.which("true") or sys.executable
    argv = [os.fsencode(program), *([] if program != sys.executable else [b"-c", b""])]
    environment = {b"PATH": b"/usr/bin:/bin"}
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    # With a folder of its own: by the folder, a worker knows whose processes are whose.
    with tempfile.TemporaryDirectory(prefix="saltant-check-") as data:
        launcher = Launcher(data)
        try:
            with launcher.start(Launch(argv, environment, Path("/"), null, null, run_as=user)) as process:
                outcome = process.wait()
        finally:
            launcher.close()
            os.close(null)
    if outcome.status != 0:
        raise Wrong(
            f"{program} was started and did not succeed: {outcome.failure or outcome.message or outcome.status}.",
            "Look for limits on processes and memory (ulimit -a, systemd-cgtop).",
        )
    return f"started {program}{f' as {user.name}' if user else ''} and saw it end"


def check_limits(folder: Path) -> str:
    """Whether jobs that ask for limits can have them. Where not, they alone are refused: that is nothing wrong."""
    cgroups = Cgroups(folder)
    why = {what: cgroups.why_not(what) for what in ("memory", "cpu")}
    if not any(why.values()):
        return "memory and processor time of jobs can be limited, by what starts a worker as this was started"
    return "started as this was, a worker refuses jobs with limits; " + "; ".join(
        f"{what}: {sentence}" for what, sentence in why.items() if sentence
    )
