"""The images of Apptainer: pulled into the worker's image folder once, or files and folders of the machine."""

import fcntl
import hashlib
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from saltant.jobs import Job, PullPolicy
from saltant.reasons import Reason
from saltant.worker.folders import WorkerFolders
from saltant.worker.removal import remove_tree
from saltant.worker.runners.process import CannotRunError
from saltant.worker.runners.singularity_pull import Puller, stop_if_ended
from saltant.worker.running import Running

SCHEMES = ("docker://", "library://", "shub://", "oras://", "docker-daemon:")

_PAUSE = 0.05  # seconds between two looks at a lock that another pull holds


@dataclass(frozen=True, slots=True)
class Image:
    """An image that can be run. `digest` is that of its file, as `sha256:…`; empty for a folder."""

    path: Path
    digest: str = ""


class ImageStore:
    """Knows where images are, and has those pulled that are missing.

    An image is pulled under a lock of its own, which workers of one machine that share the folder respect too; beside
    it, and renamed when it is whole. Its digest is kept in a file beside it.
    """

    def __init__(self, folder: Path, worker: WorkerFolders, puller: Puller) -> None:
        self._folder = folder
        self._worker = worker
        self._puller = puller

    def make(self) -> None:
        """Make the folder; the jobs' user can pass through it. Raises OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._worker.run_as is not None:
            self._folder.chmod(0o711)

    def get(self, program: str, job: Job, running: Running, place: Path) -> Image:
        """A job's image, kept in the folder `place` for as long as that lasts: a later pull does not change it.

        Raises CannotRunError, OSError.
        """
        name = job.container_image or ""
        if name.startswith("/"):
            return self._local(Path(name), running)
        if not name.startswith(SCHEMES):
            raise CannotRunError(
                Reason.IMAGE_PULL_FAILED,
                f"Its image {name!r} is nothing that Apptainer has a name for: it must begin with"
                f" {', '.join(SCHEMES)}, or be the absolute path of an image file or folder on the worker.",
            )
        self.make()
        readable = re.sub(r"[^A-Za-z0-9.-]+", "_", name)[:80]
        path = self._folder / f"{readable}-{hashlib.sha256(name.encode()).hexdigest()[:16]}.sif"
        if job.pull_policy == PullPolicy.IF_MISSING and path.exists():
            with suppress(FileNotFoundError):  # removed this very moment
                return self._keep(path, place, running)
        with _locked(path.with_suffix(".lock"), running):
            if job.pull_policy == PullPolicy.NEVER and not path.exists():
                raise CannotRunError(
                    Reason.IMAGE_PULL_FAILED,
                    f"Its image {name} is not on the worker, and its task type says never to pull it.",
                )
            if job.pull_policy == PullPolicy.ALWAYS or not path.exists():
                self._pull(program, name, path, job, running)
            return self._keep(path, place, running)

    def sweep(self) -> None:
        """Remove the halves of images whose pull was killed."""
        for part in self._folder.glob("*.part"):
            lock = os.open(part.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove_tree(part)
            except BlockingIOError:
                pass  # it is being pulled
            finally:
                os.close(lock)

    def _pull(self, program: str, name: str, path: Path, job: Job, running: Running) -> None:
        part = path.with_suffix(".part")
        remove_tree(part)
        part.mkdir(mode=0o700)
        try:
            whole = part / "image.sif"
            self._puller.pull(program, name, whole, job, running)
            whole.chmod(0o644)
            whole.replace(path)
        finally:
            remove_tree(part)

    def _keep(self, path: Path, place: Path, running: Running) -> Image:
        kept = place / "image.sif"
        try:
            kept.hardlink_to(path)
        except FileNotFoundError:
            raise
        except OSError:
            kept = path  # on another disk: a pull at the very moment of the start may come in between
        return Image(kept, self._digest(path if kept is path else kept, path.with_suffix(".digest"), running))

    def _local(self, path: Path, running: Running) -> Image:
        try:
            path = path.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            why = getattr(error, "strerror", None) or error
            raise CannotRunError(
                Reason.IMAGE_PULL_FAILED, f"Its image {path} cannot be used on the worker: {why}."
            ) from None
        if path.is_dir():
            if self._worker.data.is_relative_to(path) or path.is_relative_to(self._worker.data):
                raise CannotRunError(
                    Reason.IMAGE_PULL_FAILED, f"Its image {path} holds the worker's own folder, or is in it."
                )
            return Image(path)
        if not path.is_file():
            raise CannotRunError(Reason.IMAGE_PULL_FAILED, f"Its image {path} is neither a file nor a folder.")
        if path.is_relative_to(self._worker.data):
            raise CannotRunError(Reason.IMAGE_PULL_FAILED, f"Its image {path} is in the worker's own folder.")
        self.make()
        beside = self._folder / f"{hashlib.sha256(os.fsencode(path)).hexdigest()}.digest"
        return Image(path, self._digest(path, beside, running))

    def _digest(self, path: Path, beside: Path, running: Running) -> str:
        """The digest of a file, from the file `beside` as long as that speaks of it."""
        try:
            status = path.stat()
            mark = f"{status.st_ino} {status.st_size} {status.st_mtime_ns}"
            with suppress(FileNotFoundError):
                kept, _, digest = beside.read_text().partition("\n")
                if kept == mark:
                    return digest
            digest = f"sha256:{_hash(path, running)}"
        except PermissionError as error:
            raise CannotRunError(
                Reason.IMAGE_PULL_FAILED, f"Its image {path} cannot be read by the worker: {error.strerror}."
            ) from None
        new = beside.with_name(f"{beside.name}.{os.getpid()}.{time.monotonic_ns()}")
        new.write_text(f"{mark}\n{digest}")
        new.replace(beside)
        return digest


def _hash(path: Path, running: Running) -> str:
    sha = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while part := file.read(1 << 20):
            sha.update(part)
            stop_if_ended(running)
    return sha.hexdigest()


@contextmanager
def _locked(path: Path, running: Running) -> Iterator[None]:
    """Hold a lock among all workers of this machine."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            stop_if_ended(running)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(_PAUSE)
        yield
    finally:
        os.close(fd)
