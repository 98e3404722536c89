"""What `saltant check` looks at: each part of one folder's saltant, whether it runs or not."""

import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import requests

from saltant.checks import Check, Part, Wrong, run_parts
from saltant.config import Settings
from saltant.serving.checks import check_files, check_https, check_versions
from saltant.up.folder import DataFolder
from saltant.worker.checks import check_disk, check_launcher, check_run_as, check_writable
from saltant.worker.engine_checks import engine_parts

DRIFT = 1.0
"""Seconds by which clocks may differ."""


def run_checks(settings: Settings) -> Iterator[Check]:
    """Check every part of the settings' folder, and what else they name, one after the other."""
    folder = DataFolder(settings.data_dir)
    parts = [
        Part("https", lambda: check_https(settings)),
        Part("run-as", lambda: check_run_as(folder.path, settings.run_as)),
        Part("folder", lambda: check_folder(folder)),
        Part("disk", lambda: check_disk(folder.path)),
        Part("database", lambda: check_database(folder), needs=["folder"]),
        Part("migrations", check_migrations, needs=["database"]),
        Part("files", lambda: check_files(settings), needs=["database"], is_remote=True),
        Part("admin-token", lambda: check_admin_token(folder), needs=["database"]),
        Part("clock", lambda: check_clock(folder)),
        Part("versions", check_versions),
        Part("server", lambda: check_server(folder)),
        Part("launcher", lambda: check_launcher(settings.run_as)),
        *engine_parts(settings),
    ]
    return run_parts(parts)


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
    check_writable(path)
    return str(path)


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


def check_migrations() -> str:
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


def _open(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True, timeout=30)
