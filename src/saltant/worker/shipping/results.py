"""Uploads what a job left in its results folder."""

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TypeVar

from saltant.files import MOST_BYTES, NO_MORE, RefusedFile, ResultOffer
from saltant.jobs import Attempt
from saltant.worker.control import Control
from saltant.worker.shipping.regular import Found, JobFolder, NotTaken
from saltant.worker.shipping.shipper import Hurried
from saltant.worker.shipping.verdicts import Verdict, is_too_large, verdict_on

log = logging.getLogger("saltant.worker")

MANY = 8 * 1024 * 1024
"""Bytes that take a while to upload."""

_PIECE = MOST_BYTES
_LEAST = 64 * 1024
_BLOCK = 1024 * 1024
_AT_ONCE = 500  # files in one offer
_TRIES = 3  # how often a file that changes is begun anew
_CHANGED = "It changed while it was uploaded."

T = TypeVar("T")


class Uploader:
    """Uploads results, from the threads of those who wait for it.

    Args:
        control: the server.
        worker: the worker's name.
        is_hurried: whether nothing more is to be begun.
    """

    def __init__(self, control: Control, worker: str, is_hurried: Callable[[], bool]) -> None:
        self._control = control
        self._worker = worker
        self._is_hurried = is_hurried
        self._piece = _PIECE

    def upload(
        self, attempt: Attempt, folder: JobFolder, on_long: Callable[[], None], on_progress: Callable[[], None]
    ) -> bool:
        """Upload what the server lacks; returns whether it then has all.

        Args:
            attempt: whose results they are.
            folder: where they are.
            on_long: called before it begins with what takes a while.
            on_progress: called whenever the server took something.

        Raises:
            Hurried: it was told to.
            Exception: what a request raises; what was uploaded counts the next time.
        """
        files: list[Found] = []
        refused: list[RefusedFile] = []
        for each in folder.walk():
            if isinstance(each, Found):
                files.append(each)
            else:
                refused.append(each)
        if sum(file.size for file in files) > MANY or len(files) > _AT_ONCE:
            on_long()
        return _Upload(self, attempt, folder, on_progress).run(files, refused)

    def check(self) -> None:
        """Raises Hurried."""
        if self._is_hurried():
            raise Hurried

    def offer(self, attempt: Attempt, files: list[ResultOffer], refused: list[RefusedFile]) -> list[int]:
        """Offer files."""
        self.check()
        return self._control.offer(attempt, self._worker, files, refused)

    def put(self, attempt: Attempt, name: str, offset: int, file: int) -> int:
        """Upload a piece of an open file."""
        self.check()
        while True:
            piece = self._piece
            try:
                return self._control.upload(attempt, self._worker, name, offset, os.pread(file, piece, offset))
            except Exception as error:
                if not is_too_large(error) or piece <= _LEAST:
                    raise
                self._piece = max(_LEAST, piece // 2)
                log.info("Results are sent by %d KiB: larger requests are refused on the way.", self._piece // 1024)


class _Upload:
    """One attempt's."""

    def __init__(
        self, uploader: Uploader, attempt: Attempt, folder: JobFolder, on_progress: Callable[[], None]
    ) -> None:
        self._uploader = uploader
        self._attempt = attempt
        self._folder = folder
        self._on_progress = on_progress
        self._is_whole = True

    def run(self, files: list[Found], refused: list[RefusedFile]) -> bool:
        for some in _batches(files):
            offers = []
            for file in some:
                self._uploader.check()
                try:
                    offers.append(self._hash(file.name))
                except NotTaken as why:
                    self._is_whole = False
                    refused.append(RefusedFile(file.name, str(why)))
            if offers:
                for offer, offset in zip(offers, self._offer(offers), strict=True):
                    self._complete(offer, offset)
        for some_refused in _batches(refused):
            self._uploader.offer(self._attempt, [], some_refused)
        return self._is_whole

    def _offer(self, offers: list[ResultOffer]) -> list[int]:
        offsets = self._uploader.offer(self._attempt, offers, [])
        self._on_progress()
        return offsets

    def _hash(self, name: str) -> ResultOffer:
        """Read a file to its end. Raises NotTaken."""
        digest, size = hashlib.sha256(), 0
        with self._folder.open(name) as file:
            try:
                while block := os.read(file, _BLOCK):
                    digest.update(block)
                    size += len(block)
                    if size % (64 * _BLOCK) == 0:
                        self._uploader.check()
            except OSError as error:
                raise NotTaken(f"It cannot be read: {error.strerror}.") from None
        return ResultOffer(name, size, digest.hexdigest())

    def _complete(self, offer: ResultOffer, offset: int) -> None:
        """Upload the rest of a file, and begin anew if it is not what was offered."""
        try:
            for left in reversed(range(_TRIES)):
                offset = self._put(offer, offset)
                if offset in (offer.size, NO_MORE):
                    break
                if not left:
                    raise NotTaken(_CHANGED)
                offer = self._hash(offer.name)
                (offset,) = self._offer([offer])
        except NotTaken as why:
            self._is_whole = False
            self._uploader.offer(self._attempt, [], [RefusedFile(offer.name, str(why))])
        except Exception as error:
            if verdict_on(error) is not Verdict.REFUSED:
                raise
            self._is_whole = False
            log.warning("%s: the server does not take its result %r: %s", self._attempt.uuid, offer.name, error)
        else:
            self._is_whole = self._is_whole and offset == offer.size

    def _put(self, offer: ResultOffer, offset: int) -> int:
        """Upload from an offset on, until the server has all, wants no more, or found another checksum than offered."""
        if offset in (offer.size, NO_MORE):
            return offset
        with self._folder.open(offer.name) as file:
            while 0 <= offset < offer.size:
                if os.fstat(file).st_size != offer.size:
                    return 0
                following = self._uploader.put(self._attempt, offer.name, offset, file)
                if following <= offset and following != NO_MORE:
                    return 0
                offset = following
                self._on_progress()
        return offset


def _batches(items: list[T]) -> Iterator[list[T]]:
    left = iter(items)
    while some := list(islice(left, _AT_ONCE)):
        yield some
