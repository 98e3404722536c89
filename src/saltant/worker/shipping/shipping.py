"""Everything that a worker ships: the logs of what runs, results at the end, and what an earlier life left."""

import logging
import os
import threading
import time
from collections.abc import Callable, Collection

from saltant.files import STREAMS
from saltant.jobs import Attempt
from saltant.worker.control import Control
from saltant.worker.folders import WorkerFolders
from saltant.worker.rarely import Rarely
from saltant.worker.shipping.copies import inodes_of, remove_old
from saltant.worker.shipping.ledger import ENDED, WATCHED, Ledger
from saltant.worker.shipping.logs import JobLogs
from saltant.worker.shipping.regular import JobFolder, NotTaken, open_folder
from saltant.worker.shipping.results import Uploader
from saltant.worker.shipping.shipper import Hurried, Shipper
from saltant.worker.shipping.verdicts import Verdict, verdict_on

log = logging.getLogger("saltant.worker")

PATIENCE = 120.0
"""Seconds for which a server may answer and still take no files, before an end is reported without them."""

_LATER = 600.0  # seconds between two tries to ship what was left out then
_DAY = 86400.0
_DELAY = 5.0

KEEP = 7
"""Days for which local copies of what the server has are kept, unless a setting says otherwise."""


def _nothing() -> None:
    pass


class JobFiles:
    """What is shipped of one attempt, as its runner sees it."""

    def __init__(self, shipping: "Shipping", attempt: Attempt) -> None:
        self.logs = JobLogs(attempt)
        self.is_missed = False  # something of it could not be opened
        self.trouble: float | None = None  # since when the server takes nothing, by time.monotonic()
        self.sent = 0  # bytes of logs that it had taken then
        self.is_shipped = False
        self._shipping = shipping

    def follow(self, name: str, fd: int) -> None:
        """Ship what comes into an open file, which the caller may close."""
        try:
            # The file itself, whatever its name will be the name of.
            own = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            self.is_missed = True
            log.error("%s: its %s is not shipped: %s", self.logs.attempt.uuid, name, error)
            return
        self._shipping.shipper.follow(self.logs, name, own)

    def watch(self, skip: Collection[str] = ()) -> None:
        """Ship the text files that turn up in its logs folder, but for those whose names there are in `skip`."""
        self._shipping.watch(self, skip)


class Shipping:
    """Ships what a worker's jobs leave. Every call may be made from any thread.

    Args:
        control: the server.
        worker: the worker's name.
        folders: the worker's folders.
        held: attempts of an earlier life whose ends are still to be reported: they are delivered with these.
        keep_days: for how many days local copies of what the server has are kept; 0: for ever.
        patience: as PATIENCE.
    """

    def __init__(
        self,
        control: Control,
        worker: str,
        folders: WorkerFolders,
        *,
        held: Collection[Attempt] = (),
        keep_days: int = KEEP,
        patience: float = PATIENCE,
    ) -> None:
        self.folders = folders
        self.shipper = Shipper(control, worker)
        self._ledger = Ledger(folders.shipping)
        self._uploader = Uploader(control, worker, lambda: self._is_hurried)
        self._keep_days = keep_days
        self._patience = patience
        self._is_hurried = False
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._files: dict[Attempt, JobFiles] = {}
        self._busy = set(held)  # attempts that somebody else delivers
        self._trouble = Rarely(log)
        self._thread = threading.Thread(target=self._keep_house, name="saltant-shipping", daemon=True)

    def start(self) -> None:
        """Begin; returns at once. To be called when the server has taken the worker."""
        self.shipper.start()
        self._thread.start()

    def begin(self, attempt: Attempt) -> JobFiles:
        """An attempt begins."""
        files = JobFiles(self, attempt)
        with self._lock:
            self._busy.add(attempt)
            self._files[attempt] = files
        # Nothing is noted on disk: while it runs its working folder tells the next life of it.
        self.shipper.add(files.logs)
        return files

    def watch(self, files: JobFiles, skip: Collection[str], *, is_asked: bool = False) -> None:
        """Ship the text files of an attempt's logs folder."""
        attempt = files.logs.attempt
        try:
            folder = self._open(self.folders.logs, attempt)
        except OSError as error:
            files.is_missed = True
            log.error("%s: its logs folder is not shipped: %s", attempt.uuid, error)
            return
        self._ledger.begin(attempt)
        self._ledger.say(attempt, WATCHED)
        files.logs.watch(folder, skip, is_asked=is_asked)

    def deliver(self, attempt: Attempt, on_long: Callable[[], None] = _nothing) -> None:
        """Ship the rest of an attempt that has ended: to be called before its end is reported, and again if it raises.

        What cannot be shipped for long, or when the worker stops, is left for later.

        Args:
            attempt: which.
            on_long: called before it begins with what takes a while.

        Raises:
            Exception: what the server's being away raises.
        """
        with self._lock:
            files = self._files.get(attempt)
        if files is None:
            files = self._reopen(attempt)
        if files is None or files.is_shipped:
            return
        try:
            self._deliver(files, on_long, is_ended=True)
        except Hurried:
            log.info("%s: the rest of its logs and results is shipped after the worker's next start.", attempt.uuid)
        except Exception as error:
            now = time.monotonic()
            if verdict_on(error) is Verdict.AWAY:
                files.trouble = None
                raise
            sent = sum(stream.sent or 0 for stream in files.logs.streams)
            if files.trouble is None or sent > files.sent:
                files.trouble, files.sent = now, sent
            if now - files.trouble < self._patience:
                raise
            log.warning(
                "%s: the server has not taken all of its logs and results; they are kept here and sent later: %s",
                attempt.uuid,
                error,
            )

    def release(self, attempt: Attempt) -> None:
        """The end of an attempt is reported, or never will be by this life of the worker."""
        with self._lock:
            files = self._files.pop(attempt, None)
        if files is not None and not files.is_shipped:
            self.shipper.drop(files.logs)
        with self._lock:
            self._busy.discard(attempt)

    def hurry(self) -> None:
        """Begin nothing more: the worker stops."""
        self._is_hurried = True
        self.shipper.hurry()

    def close(self) -> None:
        """Ship nothing more."""
        self.hurry()
        self.shipper.close()
        self._closed.set()

    def _deliver(self, files: JobFiles, on_long: Callable[[], None], *, is_ended: bool) -> None:
        attempt = files.logs.attempt
        results, is_whole = self._results(attempt) if is_ended else (None, True)
        try:
            if is_ended and (results is not None or self.shipper.has_rest(files.logs)):
                self._ledger.begin(attempt)
                self._ledger.say(attempt, ENDED)
            self.shipper.flush(files.logs)
            if results is not None:
                is_whole = self._upload(files, results, on_long) and is_whole
        finally:
            if results is not None:
                results.close()
        if is_ended and is_whole and files.logs.is_whole and not files.is_missed:
            self._ledger.shipped(attempt, inodes_of(self.folders, attempt))
        else:
            self._ledger.forget(attempt)  # what the server does not want stays here
        files.is_shipped = True
        self.shipper.drop(files.logs)

    def _results(self, attempt: Attempt) -> tuple[JobFolder | None, bool]:
        """An attempt's results folder if there is something in it, and whether that is known."""
        try:
            folder = self._open(self.folders.results, attempt)
        except FileNotFoundError:
            return None, True
        except OSError as error:
            log.warning("%s: its results folder cannot be opened: %s", attempt.uuid, error)
            return None, False
        if folder.is_empty():
            folder.close()
            return None, True
        return folder, True

    def _upload(self, files: JobFiles, results: JobFolder, on_long: Callable[[], None]) -> bool:
        def progress() -> None:
            files.trouble = None

        try:
            return self._uploader.upload(files.logs.attempt, results, on_long, progress)
        except Exception as error:
            if verdict_on(error) is not Verdict.REFUSED:
                raise
            self._trouble.warn(f"The server takes no results: {error}")
            return False

    def _open(self, parent: os.PathLike[str], attempt: Attempt) -> JobFolder:
        """One of an attempt's folders. Raises OSError."""
        run_as = self.folders.run_as
        top = open_folder(parent)
        try:
            fd = -1
            # Moved aside, it has its number. A later attempt may take the plain name any time: so that is opened first.
            for name in (str(attempt.uuid), f"{attempt.uuid}.{attempt.number}"):
                try:
                    found = open_folder(name, parent=top)
                except FileNotFoundError:
                    continue
                if fd >= 0:
                    os.close(fd)
                fd = found
        finally:
            os.close(top)
        if fd < 0:
            raise FileNotFoundError
        return JobFolder(fd, None if run_as is None else run_as.uid)

    def _reopen(self, attempt: Attempt) -> JobFiles | None:
        """What an earlier life left of an attempt; None if nothing of it is to be shipped."""
        words = self._ledger.words(attempt)
        if words is None:
            return None
        files = JobFiles(self, attempt)
        known = self.folders.of(attempt)
        names = {"stdout": known.stdout.name, "stderr": known.stderr.name}
        try:
            folder = self._open(self.folders.logs, attempt)
        except OSError:
            pass  # it had not begun, or somebody removed it
        else:
            try:
                for stream in STREAMS:
                    try:
                        with folder.open(names[stream]) as file:
                            files.logs.add(stream, os.dup(file), None)
                    except NotTaken as error:
                        log.debug("%s: its %s is not shipped: %s", attempt.uuid, stream, error)
            finally:
                folder.close()
        if WATCHED in words:
            self.watch(files, {*names.values(), known.progress.name}, is_asked=True)
        with self._lock:
            self._files[attempt] = files
        self.shipper.add(files.logs)
        return files

    def _keep_house(self) -> None:
        """What has time: files that were left behind, and copies that are not needed any more."""
        removed = float("-inf")
        while not self._is_hurried:
            wait = self._ship_left() or _LATER
            if self._keep_days > 0 and time.monotonic() >= removed + _DAY:
                removed = time.monotonic()
                try:
                    count = remove_old(self.folders, self._ledger, self._keep_days)
                    if count:
                        log.info("Removed the local copies of %d attempts, which the server has.", count)
                except Exception as error:
                    log.warning("Old local copies could not be removed: %s", error)
            self._closed.wait(wait)

    def _ship_left(self) -> float:
        """Ship what was left behind; returns in how many seconds to go on with it, or 0."""
        try:
            left = self._ledger.pending()
        except OSError as error:
            log.warning("What was left to ship cannot be found: %s", error)
            return 0.0
        wait = 0.0
        for attempt in left:
            with self._lock:
                if attempt in self._busy:
                    continue
            try:
                files = self._reopen(attempt)
                if files is not None:
                    self._deliver(files, _nothing, is_ended=ENDED in (self._ledger.words(attempt) or ()))
            except Hurried:
                return 0.0
            except Exception as error:
                self._trouble.warn(f"Files that an earlier run left could not be shipped yet: {error}")
                if verdict_on(error) is Verdict.AWAY:
                    return _DELAY
                wait = 60.0
            finally:
                with self._lock:
                    files = self._files.pop(attempt, None)
                if files is not None and not files.is_shipped:
                    self.shipper.drop(files.logs)
        if not wait:
            self._trouble.over("Files that an earlier run left are shipped.")
        return wait
