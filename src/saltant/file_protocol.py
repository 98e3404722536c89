"""How files of attempts go over HTTP from worker to server: both sides of each form, side by side.

A request with logs is a line of JSON that says what follows, and then the bytes, one chunk after another.
"""

import json
import re
from collections.abc import Collection, Sequence
from typing import Any, Final

from saltant.files import MOST_BYTES, LogChunk, RefusedFile, ResultOffer
from saltant.jobs import Attempt
from saltant.protocol import (
    JSON,
    LARGE,
    Malformed,
    attempt_from_json,
    attempt_to_json,
    list_of,
    worker_of,
)

LONGEST_LINE: Final = 4 * 1024 * 1024
"""Bytes of the line before the chunks."""
LONGEST_WHY: Final = 500
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


def logs_to_body(worker: str, chunks: Sequence[LogChunk]) -> bytes:
    """The body of a request with logs."""
    said = [
        attempt_to_json(chunk.attempt) | {"name": chunk.name, "offset": chunk.offset, "length": len(chunk.data)}
        for chunk in chunks
    ]
    line = json.dumps({"worker": worker, "chunks": said}).encode()
    return b"\n".join((line, b"".join(chunk.data for chunk in chunks)))


def logs_from_body(body: bytes, loads: Any = json.loads) -> tuple[str, list[LogChunk]]:
    """Who sends logs, and which. `loads` reads the JSON.

    Raises:
        Malformed: it is not of this form.
    """
    end = body.find(b"\n", 0, LONGEST_LINE + 1)
    if end < 0:
        raise Malformed("The first line must be JSON that says which chunks follow it.")
    try:
        said = loads(body[:end].decode())
    except ValueError as error:
        raise Malformed(f"The first line is no JSON: {error}") from None
    worker = worker_of(said)
    data, start = memoryview(body)[end + 1 :], 0
    if len(data) > MOST_BYTES:
        raise Malformed(f"A request may carry {MOST_BYTES} bytes of logs, not {len(data)}.")
    chunks = []
    for each in list_of(said.get("chunks")):
        attempt, name = attempt_from_json(each), name_of(each)
        offset, length = number_of(each, "offset"), number_of(each, "length")
        if start + length > len(data):
            raise Malformed("The chunks are longer than what follows the first line.")
        chunks.append(LogChunk(attempt, name, offset, bytes(data[start : start + length])))
        start += length
    if start != len(data):
        raise Malformed("The chunks are shorter than what follows the first line.")
    return worker, chunks


def offer_to_json(
    worker: str, attempt: Attempt, files: Collection[ResultOffer], refused: Collection[RefusedFile] = ()
) -> JSON:
    """What a job left in its results folder, or a part of it: of more than `protocol.LONGEST_LIST` files, the rest
    goes into the next request."""
    return {
        "worker": worker,
        **attempt_to_json(attempt),
        "files": [{"name": each.name, "size": each.size, "sha256": each.sha256} for each in files],
        "refused": [{"name": each.name, "why": each.why} for each in refused],
    }


def offer_from_json(said: Any) -> tuple[str, Attempt, list[ResultOffer], list[RefusedFile]]:
    """Raises Malformed."""
    worker, attempt = worker_of(said), attempt_from_json(said)
    files = [ResultOffer(name_of(each), number_of(each, "size"), _sha256(each)) for each in list_of(said.get("files"))]
    refused = [
        RefusedFile(name_of(each), _string(each, "why")[:LONGEST_WHY]) for each in list_of(said.get("refused") or [])
    ]
    return worker, attempt, files, refused


def offsets_from_json(said: Any, count: int) -> list[int]:
    """From where the server wants to go on with each of `count` files. Raises Malformed."""
    offsets = said.get("offsets") if isinstance(said, dict) else None
    if not isinstance(offsets, list) or len(offsets) != count:
        raise Malformed("The server did not say from where to go on.")
    return [_whole(each, "offset", -1) for each in offsets]


def name_of(said: Any) -> str:
    """A file's name as it was said: whether it is a good one is for who makes a file of it to check."""
    return _string(said, "name")


def number_of(said: Any, key: str) -> int:
    """A number of bytes. Raises Malformed."""
    return _whole(said.get(key) if isinstance(said, dict) else None, key, 0)


def _whole(value: Any, key: str, least: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= LARGE:
        raise Malformed(f"{key!r} must be a whole number between {least} and {LARGE}.")
    return value


def _string(said: Any, key: str) -> str:
    value = said.get(key) if isinstance(said, dict) else None
    if not isinstance(value, str):
        raise Malformed(f"{key!r} must be a text.")
    return value


def _sha256(said: Any) -> str:
    value = _string(said, "sha256")
    if not _SHA256.fullmatch(value):
        raise Malformed("'sha256' must be 64 hexadecimal digits, in lower case.")
    return value
