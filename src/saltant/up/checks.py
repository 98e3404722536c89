"""What `saltant check` looks at: each part of one folder's saltant, whether it runs or not."""

import os
import platform
import shutil
import sqlite3
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import django
import requests

from saltant.config import Settings
from saltant.up.folder import DataFolder
from saltant.worker.launch import Launch, Launcher
from saltant.worker.run_as import RunAs

FREE = 256 * 1024**2
"""Bytes that must be free on the folder's disk."""
DRIFT = 1.0
"""Seconds by which clocks may differ."""


@dataclass(frozen=True)
class Check:
    """What was found of one part.

    Attributes:
        part: its name.
        ok: whether it is right.
        says: what was found.
        advice: what to do; "" if it is right.
    """

    part: str
    ok: bool
    says: str
    advice: str = ""


class Wrong(Exception):
    """A part is not right: what was found, and what to do."""

    def __init__(self, says: str, advice: str) -> None:
        super().__init__(says)
        self.says = says
        self.advice = advice


def run_checks(settings: Settings) -> Iterator[Check]:
    """Check every part of the settings' folder, and what else they name, one after the other."""
    folder = DataFolder(settings.data_dir)
    parts: dict[str, Callable[[DataFolder], str]] = {
        "https": lambda _: check_https(settings),
        "run-as": lambda folder: check_run_as(folder, settings.run_as),
        "folder": check_folder,
        "disk": check_disk,
        "database": check_database,
        "migrations": check_migrations,
        "admin-token": check_admin_token,
        "clock": check_clock,
        "versions": check_versions,
        "server": check_server,
        "launcher": lambda _: check_launcher(settings.run_as),
    }
    usable = folder.database.exists()
    for name, part in parts.items():
        if name in ("database", "migrations", "admin-token") and not usable:
            continue
        try:
            yield Check(name, True, part(folder))
            continue
        except Wrong as wrong:
            found = Check(name, False, wrong.says, wrong.advice)
        except Exception as error:
            found = Check(name, False, f"{type(error).__name__}: {error}", "The message is all that is known.")
        usable = usable and name not in ("folder", "database")
        yield found


def check_https(settings: Settings) -> str:
    """A proxy is believed when it says whom it speaks for."""
    if not settings.https:
        return "not asked for (SALTANT_HTTPS)"
    if not settings.trusted_proxies:
        raise Wrong(
            "No proxy is trusted, so whoever comes through one on this machine counts as local, with HTTPS or without.",
            "Set SALTANT_TRUSTED_PROXIES to the proxy's address, such as 127.0.0.1.",
        )
    return f"through {', '.join(settings.trusted_proxies)}"


def check_run_as(folder: DataFolder, name: str) -> str:
    """Jobs' user exists, and can reach their folders."""
    if not name:
        return "jobs run as saltant's own user"
    try:
        user = RunAs.named(name)
    except ValueError as error:
        raise Wrong(str(error), "Make that user, or set SALTANT_RUN_AS to another.") from None
    except PermissionError as error:
        raise Wrong(str(error), "Start saltant (and this) as root, or unset SALTANT_RUN_AS.") from None
    for parent in folder.path.resolve().parents:  # `saltant up` opens the folder itself
        if parent.is_dir() and not user.may_pass(parent.stat()):
            raise Wrong(
                f"{name} cannot pass through {parent} to reach the jobs' folders.",
                f"chmod o+x {parent}, or choose another --data-dir.",
            )
    return str(user)


def check_folder(folder: DataFolder) -> str:
    """It is there, ours, closed to others, and can be written."""
    path = folder.path
    if not path.is_dir() or not folder.database.exists():
        raise Wrong(f"{path} is not a saltant folder yet.", "Run `saltant up` once, or name another --data-dir.")
    status = path.stat()
    if os.geteuid() not in (0, status.st_uid):
        raise Wrong(f"{path} belongs to another user.", "Run this as who started `saltant up`.")
    if status.st_mode & 0o066:  # jobs that run as another user pass through, and cannot look around
        raise Wrong(f"Others can list {path}.", f"chmod go-rw {path}")
    for file in (folder.database, folder.secret_key, folder.admin_token):
        if file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise Wrong(f"Others can open {file}.", f"chmod 600 {file}")
    try:
        with tempfile.TemporaryFile(dir=path) as written:
            written.write(b"x")
            written.flush()
            os.fsync(written.fileno())
    except OSError as error:
        raise Wrong(f"{path} cannot be written: {error.strerror}.", "Mount it writable, or make room.") from None
    return str(path)


def check_disk(folder: DataFolder) -> str:
    """There is room."""
    path = folder.path if folder.path.is_dir() else next(each for each in folder.path.parents if each.is_dir())
    free = shutil.disk_usage(path).free
    says = f"{free / 1024**3:.1f} GiB are free"
    if free < FREE:
        raise Wrong(f"Only {free // 1024**2} MiB are free.", "Make room, or remove old logs and results.")
    return says


def check_database(folder: DataFolder) -> str:
    """SQLite finds nothing broken in it."""
    try:
        with closing(_open(folder.database)) as database:
            found = [row[0] for row in database.execute("PRAGMA quick_check(3)")]
    except sqlite3.Error as error:
        raise Wrong(f"The database cannot be read: {error}.", RESTORE) from None
    if found != ["ok"]:
        raise Wrong(f"The database is damaged: {'; '.join(found)}.", RESTORE)
    return f"SQLite {sqlite3.sqlite_version}, {folder.database.stat().st_size / 1024**2:.1f} MiB, whole"


RESTORE = "Stop `saltant up`, move the folder away and `saltant restore` a backup."


def check_migrations(folder: DataFolder) -> str:
    """The tables are as this version wants them."""
    from saltant.server.health import missing_migrations

    missing = missing_migrations()
    if missing:
        names = ", ".join(missing[:3])
        raise Wrong(f"{len(missing)} migrations are not applied: {names}.", "Start `saltant up` anew: it applies them.")
    return "all applied"


def check_admin_token(folder: DataFolder) -> str:
    """What `saltant env` gives away lets an admin in."""
    from saltant.up.first_start import opens

    if not opens(folder):
        raise Wrong(f"The key in {folder.admin_token} lets no admin in.", "Start `saltant up` anew: it makes another.")
    return "lets an admin in"


def check_clock(folder: DataFolder) -> str:
    """Time goes on evenly, is not before what has been recorded, and the database has the same."""
    wall, steady = time.time(), time.monotonic()
    time.sleep(0.05)
    leap = (time.time() - wall) - (time.monotonic() - steady)
    if abs(leap) > DRIFT:
        raise Wrong(f"The clock leapt by {leap:.1f} s just now.", "Let one time service, and only one, set the clock.")
    now = datetime.now(UTC)
    if folder.database.exists():
        for what, moment in _recorded(folder.database):
            if (moment - now).total_seconds() > DRIFT:
                raise Wrong(
                    f"The clock says {now:%Y-%m-%d %H:%M:%S} UTC, {what} {moment:%Y-%m-%d %H:%M:%S}.",
                    "Set the clock: leases and expiry times go by it.",
                )
    return f"{now:%Y-%m-%d %H:%M:%S} UTC"


def _recorded(database: Path) -> Iterator[tuple[str, datetime]]:
    """Moments that must not lie ahead."""
    questions = {
        "the database": "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')",
        "the last worker was heard of at": "SELECT max(datetime_heartbeat) FROM tasks_worker",
        "the last instance was made at": "SELECT max(datetime_created) FROM tasks_taskinstance",
    }
    with closing(_open(database)) as connection:
        for what, question in questions.items():
            try:
                row = connection.execute(question).fetchone()
            except sqlite3.Error:  # that is for others to tell
                continue
            if row and row[0]:
                yield what, datetime.fromisoformat(row[0]).replace(tzinfo=UTC)


def check_versions(folder: DataFolder) -> str:
    """Of what this command runs with."""
    from importlib.metadata import version

    return f"saltant {version('saltant-py')}, Python {platform.python_version()}, Django {django.get_version()}"


def check_server(folder: DataFolder) -> str:
    """If one runs over this folder, it answers."""
    address = folder.running()
    if address is None:
        return "not running"
    root = address.api_url.removesuffix("api/")
    session = requests.Session()
    session.trust_env = False  # a proxy of this shell's knows nothing of this machine's addresses
    try:
        with session:
            health = session.get(f"{root}healthz", timeout=5)
            api = session.get(address.api_url + "users/", timeout=5)
            ready = session.get(f"{root}readyz", timeout=5)
    except requests.RequestException as error:
        raise Wrong(
            f"Process {address.pid} holds the folder, but {root} does not answer: {type(error).__name__}.",
            "Look into its log; if it hangs, stop it and start it anew.",
        ) from None
    version = api.headers.get("Saltant-Version", "")
    if health.status_code != 200 or not version:
        raise Wrong(f"{root} answers, but not as saltant does.", "Look whether another program took its port.")
    if ready.status_code == 503:
        parts = {name: said for name, said in ready.json()["parts"].items() if said != "ok"}
        raise Wrong(f"{root} is not ready: {parts}.", "Look into its log.")
    return f"process {address.pid} answers at {address.api_url}, version {version} of the wire"


def check_launcher(run_as: str) -> str:
    """Jobs can be started: a program that does nothing runs to its end, as a job would, and as whom."""
    user = None
    with suppress(ValueError, PermissionError):  # "run-as" tells of it
        user = RunAs.named(run_as) if run_as else None
    program = shutil.which("true") or sys.executable
    argv = [os.fsencode(program), *([] if program != sys.executable else [b"-c", b""])]
    environment = {b"PATH": b"/usr/bin:/bin"}
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    # With a folder of its own: by the folder, an `up` knows whose processes are whose.
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


def _open(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=30)
