"""How results come in: first what there is, then the bytes, then the proof that they are right."""

import re
from collections.abc import Sequence
from typing import Final

from django.conf import settings
from django.db.models import Count, Sum

from saltant.file_protocol import LONGEST_WHY
from saltant.files import LONGEST_NAME, NO_MORE, BadName, RefusedFile, ResultOffer, check_name, safe_name
from saltant.jobs import Attempt
from saltant.server.files.attempts import attempts_of
from saltant.server.files.digests import digests
from saltant.server.files.keys import held, result_key
from saltant.server.files.models import RefusedResult, ResultFile
from saltant.server.files.stores import store
from saltant.server.tasks.models import TaskAttempt

EMPTY: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""The SHA-256 of no bytes."""
MOST_REFUSED: Final = 1000
"""How many refused files of an attempt are named. There may be any number of them."""
LONGEST_SIZE: Final = 2**63 - 1
_UNREADABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def offer_results(
    worker: str, attempt: Attempt, files: Sequence[ResultOffer], refused: Sequence[RefusedFile] = ()
) -> list[int]:
    """Hear what a job left; returns for each file the offset from which its bytes are wanted.

    Equal to its size: it is there. NO_MORE: it is not wanted, which the list of results says and gives the reason for.
    A file that was offered before with another size or checksum begins anew. `refused` are those that the worker does
    not take.
    """
    row = attempts_of(worker, [attempt]).get(attempt)
    if row is None:
        return [NO_MORE] * len(files)
    known = {file.name: file for file in ResultFile.objects.filter(attempt=row)}
    totals = ResultFile.objects.filter(attempt=row).aggregate(count=Count("pk"), size=Sum("size"))
    room = _Room(totals["count"], totals["size"] or 0)
    turned_away = list(refused)
    new: dict[str, ResultFile] = {}
    offsets = []
    for offer in files:
        before = known.get(offer.name)
        why = _why_not(offer) or room.why_not(offer, before)
        if why:
            turned_away.append(RefusedFile(offer.name, why))
            offsets.append(NO_MORE)
            continue
        room.take(offer, before)
        if before is None or offer.name in new:
            file = ResultFile(attempt=row, name=offer.name, size=offer.size, sha256=offer.sha256)
            known[offer.name] = new[offer.name] = file
        else:
            known[offer.name] = _renew(before, offer)
        offsets.append(known[offer.name].uploaded)
    ResultFile.objects.bulk_create(new.values(), ignore_conflicts=True)  # of another request that says the same
    _note(row, turned_away)
    return offsets


def put_result(worker: str, attempt: Attempt, name: str, offset: int, data: bytes) -> int:
    """Add bytes to a file that was offered; returns the offset from which to go on: its size once all is there.

    0 after the last byte: they are not those of the checksum, and are wanted again. NO_MORE: it was not offered.

    Raises:
        CannotKeep: the store does not take it now.
    """
    row = attempts_of(worker, [attempt]).get(attempt)
    if not safe_name(name):
        return NO_MORE
    known = None if row is None else ResultFile.objects.filter(attempt=row, name=name).first()
    if row is None or known is None:
        return NO_MORE
    with held(ResultFile, known.pk) as file:
        if file is None:
            return NO_MORE
        new = data[file.uploaded - offset : file.size - offset] if offset <= file.uploaded else b""
        return _grow(row, file, new) if new else file.uploaded


def _grow(row: TaskAttempt, file: ResultFile, data: bytes) -> int:
    """Write bytes, and when they are the last ones, compare all with the checksum."""
    key = result_key(row.instance.uuid, row.number, file.pk)
    store().write_at(key, file.uploaded, data)
    digests.add(file.pk, file.uploaded, data)
    uploaded = file.uploaded + len(data)
    if uploaded == file.size and digests.take(file.pk, file.size, store().read(key, 0, file.size)) != file.sha256:
        uploaded = 0
    unchanged = ResultFile.objects.filter(pk=file.pk, uploaded=file.uploaded, size=file.size, sha256=file.sha256)
    return uploaded if unchanged.update(uploaded=uploaded) else NO_MORE


def _renew(known: ResultFile, offer: ResultOffer) -> ResultFile:
    """A file that was offered before, as it is offered now."""
    if (known.size, known.sha256) == (offer.size, offer.sha256):
        return known
    with held(ResultFile, known.pk) as file:
        if file is None:
            return known
        file.size, file.sha256, file.uploaded = offer.size, offer.sha256, 0
        file.save(update_fields=["size", "sha256", "uploaded"])
        return file


def _why_not(offer: ResultOffer) -> str | None:
    """Why a file cannot be one, whatever else there is."""
    try:
        check_name(offer.name)
    except BadName as error:
        return str(error)
    if not 0 <= offer.size <= LONGEST_SIZE:
        return "Its size is no size of a file."
    if offer.size == 0 and offer.sha256 != EMPTY:
        return "It has no bytes, and a checksum of others."
    return None


class _Room:
    """What the limits leave for the results of an attempt."""

    def __init__(self, count: int, size: int) -> None:
        self._count, self._size = count, size

    def why_not(self, offer: ResultOffer, known: ResultFile | None) -> str | None:
        """Why there is no room for a file; None if there is."""
        most, limit = settings.SALTANT.result_files, settings.SALTANT.result_limit
        if known is None and self._count >= most:
            return f"There are more than {most} files (SALTANT_RESULT_FILES)."
        if self._size - (known.size if known else 0) + offer.size > limit:
            return f"With it, the results would have more than {limit} bytes (SALTANT_RESULT_LIMIT)."
        return None

    def take(self, offer: ResultOffer, known: ResultFile | None) -> None:
        """Count a file."""
        self._count += known is None
        self._size += offer.size - (known.size if known else 0)


def _note(row: TaskAttempt, refused: Sequence[RefusedFile]) -> None:
    """Write down which files are not kept, and why."""
    said = {readable(each.name, LONGEST_NAME): readable(each.why, LONGEST_WHY) for each in refused}
    known = set(RefusedResult.objects.filter(attempt=row).values_list("name", flat=True)) if said else set()
    made = [RefusedResult(attempt=row, name=name, why=why) for name, why in said.items() if name not in known]
    RefusedResult.objects.bulk_create(made[: max(0, MOST_REFUSED - len(known))], ignore_conflicts=True)


def readable(text: str, longest: int) -> str:
    """A text that databases hold and that steers no terminal."""
    return _UNREADABLE.sub("\N{REPLACEMENT CHARACTER}", text)[:longest]
