"""The folders of a worker: where they are, who owns them, and one job's share of them."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from saltant.jobs import Attempt
from saltant.worker.removal import remove_tree
from saltant.worker.run_as import RunAs
from saltant.worker.spare_folders import SpareFolders

log = logging.getLogger("saltant.worker")


@dataclass(frozen=True, slots=True)
class JobFolders:
    """One attempt's folders."""

    work: Path
    logs: Path
    results: Path
    stdout: Path
    stderr: Path
    progress: Path  # which the job writes, if it likes


class WorkerFolders:
    """Knows and makes `work`, `arguments`, `logs`, `results`, `shipping` and `spare` below a data folder.

    With `run_as` the first four can be passed through by everybody and listed by nobody (0711), and a job's own belong
    to that user (0700). The data folder has to be passable too then; what else is in it (database, key, token) keeps to
    itself by being 0600.
    """

    def __init__(self, data: Path | str, run_as: RunAs | None = None) -> None:
        self.data = Path(data).resolve()  # one spelling: processes left behind are known by it
        self.run_as = run_as
        self.work = self.data / "work"
        self.arguments = self.data / "arguments"
        self.logs = self.data / "logs"
        self.results = self.data / "results"
        self.shipping = self.data / "shipping"
        self._spare = SpareFolders(self.data / "spare", run_as)

    def make(self) -> None:
        """Make what is missing. Raises OSError, PermissionError if the jobs' user could not reach their folders."""
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = 0o711 if self.run_as is not None else 0o700
        for folder in (self.work, self.arguments, self.logs, self.results):
            folder.mkdir(exist_ok=True)
            folder.chmod(mode)  # whatever the umask, or an earlier start without run-as, made of it
        for folder in (self.shipping, self._spare.place):
            folder.mkdir(mode=0o700, exist_ok=True)
        self.data.chmod(mode)
        if self.run_as is not None:
            for folder in (*self.data.parents, self.data):
                if not self.run_as.may_pass(folder.stat()):
                    raise PermissionError(
                        f"Jobs are to run as {self.run_as.name}, who cannot pass through {folder} to reach their"
                        f" folders in {self.data}: choose another data folder, or chmod o+x {folder}."
                    )

    def sweep(self) -> None:
        """Remove working folders and argument files that a killed worker left. To be called while no job runs.

        The attempts whose working folders they were are noted as such whose logs are still to be shipped.
        """
        for folder in self.work.iterdir():
            try:
                (self.shipping / folder.name).touch(mode=0o600)
            except OSError as error:
                log.warning("%s: what it printed last stays on this machine: %s", folder.name, error)
            _try_to_remove(folder, folder.name)
        for folder in self._spare.place.iterdir():
            _try_to_remove(folder, folder.name)
        for file in self.arguments.iterdir():
            file.unlink(missing_ok=True)

    def of(self, attempt: Attempt) -> JobFolders:
        """Where an attempt's folders are, made or not."""
        uuid = str(attempt.uuid)
        logs = self.logs / uuid
        return JobFolders(
            work=self._work_of(attempt),
            logs=logs,
            results=self.results / uuid,
            stdout=logs / f"{uuid}-stdout.txt",
            stderr=logs / f"{uuid}-stderr.txt",
            progress=logs / f"{uuid}-progress.txt",
        )

    def prepare(self, attempt: Attempt) -> JobFolders:
        """Make an attempt's folders, all of them new. Raises OSError.

        What an earlier attempt left under the same name is moved aside: to `<uuid>.1` before the second, and so on. If
        it is not shipped yet, and so is looked for, its own number counts.
        """
        folders = self.of(attempt)
        for folder in (folders.work, folders.logs, folders.results):
            if folder is folders.work and self._spare.give(folder):
                continue
            try:
                folder.mkdir(mode=0o700)
            except FileExistsError:
                if folder is folders.work:
                    remove_tree(folder)
                else:
                    _move_aside(folder, self._earlier(attempt))
                folder.mkdir(mode=0o700)
            if self.run_as is not None:
                os.chown(folder, self.run_as.uid, self.run_as.gid, follow_symlinks=False)
        return folders

    def open_log(self, path: Path) -> int:
        """Make one of an attempt's logs anew and open it for appending. Raises OSError."""
        try:
            return self._create(path, os.O_APPEND)
        except FileExistsError:
            # A file made anew cannot be a link or a pipe that an earlier attempt's program put there.
            path.unlink()
            return self._create(path, os.O_APPEND)

    def write_arguments(self, attempt: Attempt, text: str) -> Path:
        """Write an attempt's arguments to a file that only its user can read. Raises OSError."""
        path = self.arguments / f"{attempt.uuid}.{attempt.number}.json"
        path.unlink(missing_ok=True)
        try:
            with os.fdopen(self._create(path), "w", encoding="utf-8") as file:
                file.write(text)
        except BaseException:
            path.unlink(missing_ok=True)  # half a file, on a full disk
            raise
        return path

    def discard(self, attempt: Attempt, arguments: Path | None) -> None:
        """Remove what lives no longer than an attempt. What cannot be removed is logged."""
        work = self._work_of(attempt)
        if not self._spare.keep(work):
            _try_to_remove(work, str(attempt.uuid))
        if arguments is not None:
            try:
                arguments.unlink(missing_ok=True)
            except OSError as error:
                log.warning("%s: its arguments file could not be removed: %s", attempt.uuid, error)

    def _work_of(self, attempt: Attempt) -> Path:
        return self.work / f"{attempt.uuid}.{attempt.number}"

    def _earlier(self, attempt: Attempt) -> int:
        numbers = range(attempt.number - 1, 0, -1)
        unshipped = (number for number in numbers if (self.shipping / f"{attempt.uuid}.{number}").exists())
        return next(unshipped, attempt.number - 1)

    def _create(self, path: Path, flags: int = 0) -> int:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC | flags, 0o600)
        try:
            if self.run_as is not None:
                os.fchown(fd, self.run_as.uid, self.run_as.gid)
        except BaseException:
            os.close(fd)
            raise
        return fd


def _move_aside(path: Path, number: int) -> None:
    """Rename what is there, whatever it is: within one folder that needs no right to it, and follows no link."""
    target = path.with_name(f"{path.name}.{number}")
    while os.path.lexists(target):  # restored from a backup, or made by another job of the same user
        target = target.with_name(target.name + "+")
    path.rename(target)


def _try_to_remove(folder: Path, name: str) -> None:
    try:
        remove_tree(folder)
    except OSError as error:
        log.warning("%s: its working folder %s could not be removed: %s", name, folder, error)
