"""How workers send logs and results. Bodies are bytes as they are: see `saltant.file_protocol`."""

from functools import partial
from typing import Any

from django.http import HttpRequest

from saltant import file_protocol
from saltant.file_protocol import LONGEST_LINE
from saltant.files import MOST_BYTES, LogChunk
from saltant.jobs import Attempt
from saltant.protocol import LARGE, Malformed, attempt_from_json, worker_of
from saltant.server.accounts.models import Token
from saltant.server.api import json_input
from saltant.server.api.worker_endpoints import endpoint
from saltant.server.api.worker_rights import Denied, own
from saltant.server.files import services

Piece = tuple[str, Attempt, str, int, bytes]


def _body(request: HttpRequest, most: int) -> bytes:
    if int(request.META.get("CONTENT_LENGTH") or 0) > most:
        raise Denied(413, f"The body is larger than {most} bytes.")
    return request.body


def _read_logs(request: HttpRequest) -> tuple[str, list[LogChunk]]:
    return file_protocol.logs_from_body(_body(request, LONGEST_LINE + 1 + MOST_BYTES), json_input.loads)


def _read_piece(request: HttpRequest) -> Piece:
    query = request.GET
    said: dict[str, Any] = {"worker": query.get("worker"), "uuid": query.get("uuid"), "name": query.get("name")}
    for key in ("number", "offset"):
        digits = query.get(key, "")
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 20 and int(digits) <= LARGE):
            raise Malformed(f"{key!r} must be a whole number between 0 and {LARGE}.")
        said[key] = int(digits)
    worker, attempt, name = worker_of(said), attempt_from_json(said), file_protocol.name_of(said)
    return worker, attempt, name, said["offset"], _body(request, MOST_BYTES)


@partial(endpoint, read=_read_logs)
def logs(token: Token, said: tuple[str, list[LogChunk]]) -> dict[str, Any]:
    """Logs of a worker's attempts have grown."""
    worker, chunks = said
    own(token, worker)
    return {"offsets": services.append_logs(worker, chunks)}


@endpoint
def offer(token: Token, said: Any) -> dict[str, Any]:
    """A worker says what a job left."""
    worker, attempt, files, refused = file_protocol.offer_from_json(said)
    own(token, worker)
    return {"offsets": services.offer_results(worker, attempt, files, refused)}


@partial(endpoint, method="PUT", read=_read_piece)
def data(token: Token, said: Piece) -> dict[str, Any]:
    """A worker sends a part of a file that it offered."""
    worker, attempt, name, offset, piece = said
    own(token, worker)
    return {"offset": services.put_result(worker, attempt, name, offset, piece)}
