"""Answers with bytes of a file: all of it, or the range that was asked for, a part at a time."""

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from rest_framework.exceptions import APIException, NotAcceptable, NotFound
from rest_framework.request import Request

from saltant.files import CannotKeep
from saltant.server.api.errors import json_error
from saltant.server.api.negotiation import PLAIN, JSONNegotiation
from saltant.server.files.stores import Key, Missing, store

RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})", re.ASCII)
GONE = "The server has lost this file: its files folder or its store does not hold it any more."

Bounds = tuple[int, int]


class AnyAccept(JSONNegotiation):
    """Takes any Accept header: a file is sent as what it is."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        try:
            return super().select_renderer(request, renderers, format_suffix)
        except NotAcceptable:
            return renderers[0], PLAIN


class OutOfRange(Exception):
    """A file has no byte of those that are asked for."""


class Unavailable(APIException):
    """503: the store cannot be read now."""

    status_code = 503


def download(
    request: Request, key: Key | None, size: int, *, content_type: str, etag: str = "", headers: dict[str, str]
) -> HttpResponseBase:
    """Answer with a file of `size` bytes; `key` None: there is nothing yet to read."""
    headers = {"Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff", **headers}
    if etag:
        headers["ETag"] = etag
    try:
        bounds = range_of(request, size, etag)
    except OutOfRange:
        refused = json_error(416, f"The file has {size} bytes; none of them is in this range.")
        for name, value in {**headers, "Content-Range": f"bytes */{size}"}.items():
            refused.headers[name] = value
        return refused
    if bounds is None:
        return answer(request, key, 0, size, content_type=content_type, headers=headers)
    start, end = bounds
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return answer(request, key, start, end, status=206, content_type=content_type, headers=headers)


def answer(
    request: Request,
    key: Key | None,
    start: int,
    end: int,
    *,
    content_type: str,
    headers: dict[str, str],
    status: int = 200,
) -> HttpResponseBase:
    """Answer with the bytes from `start` up to `end`."""
    headers = {**headers, "Content-Length": str(end - start)}
    if request.method == "HEAD" or key is None or start == end:
        return HttpResponse(b"", status=status, content_type=content_type, headers=headers)
    parts = begin(store().read(key, start, end))
    return StreamingHttpResponse(parts, status=status, content_type=content_type, headers=headers)


def begin(parts: Iterator[bytes]) -> Iterator[bytes]:
    """The same parts, once the first of them is there: what fails by then still gets an answer that says so."""
    try:
        first = next(parts, b"")
    except Missing:
        raise NotFound(GONE) from None
    except CannotKeep as error:
        raise Unavailable(str(error)) from None
    return _Parts(first, parts)


class _Parts:
    """Can be closed, which closes the file."""

    def __init__(self, first: bytes, rest: Any) -> None:
        self._all: Iterator[bytes] = chain([first], rest)
        self._rest = rest

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._all)

    def close(self) -> None:
        self._rest.close()


def range_of(request: Request, size: int, etag: str = "") -> Bounds | None:
    """Which bytes of `size` are asked for. None: all; also where the header holds several ranges, or none we know.

    Raises:
        OutOfRange: there are none such.
    """
    wanted = RANGE.fullmatch(request.META.get("HTTP_RANGE", "").strip())
    if wanted is None or request.META.get("HTTP_IF_RANGE", etag) != etag:
        return None
    first, last = wanted.groups()
    if not (first or last) or (first and last and int(last) < int(first)):
        return None
    if first:
        start, end = int(first), min(int(last or size), size - 1) + 1
    else:  # the last so many
        start, end = max(0, size - int(last)), size
    if start >= end:
        raise OutOfRange
    return start, end
