"""Pages of lists, straight from rows to bytes; a page too large for memory goes out in chunks."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import DataError, OperationalError
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.utils.urls import remove_query_param, replace_query_param

from saltant.server.api import cursors, regexes
from saltant.server.api.cursors import Cursor
from saltant.server.api.filters import BOOLEANS, LeanFilterSet
from saltant.server.api.ordering import Order
from saltant.server.api.representations import Representation, Row
from saltant.server.api.resources import Resource

PARAMETERS = frozenset({"page", "page_size", "cursor", "ordering", "count"})
"""Of lists, beside filters. Version 1 knows the first two alone."""
CHUNK = 1000
JSON = "application/json"


@dataclass(frozen=True)
class Page:
    """A part of a list, and what stands before and after it.

    Attributes:
        start: how many rows come before it.
        size: how many rows it holds.
        count: how many the list holds; None: nobody has asked.
    """

    start: int
    size: int
    count: int | None
    previous: str | None
    next: str | None

    @property
    def head(self) -> str:
        """The body up to the results."""
        links = f'"next":{json.dumps(self.next)},"previous":{json.dumps(self.previous)}'
        return f'{{"count":{json.dumps(self.count)},{links},"results":['


def respond(request: Request, resource: Resource, filters: LeanFilterSet) -> HttpResponseBase:
    """The page of a filtered list that `request` asks for."""
    representation = resource.representation(request.version)
    said = request.query_params if request.version == "2" else QueryDict()
    order = resource.ordered(said.get("ordering", ""))
    if "cursor" in said:
        return _by_cursor(request, resource, filters, order)
    filtered = filters.result()
    with searching(filters, settings.SALTANT.filter_time):
        page = find_page(request, resource.count(filters), resource.page_size)
        if page.size <= CHUNK:
            body = page.head + ",".join(representation.encode(_rows(page, representation, filtered, order))) + "]}"
            return HttpResponse(body.encode(), content_type=JSON)
    return StreamingHttpResponse(_stream(page, representation, filters, filtered, order), content_type=JSON)


def _by_cursor(request: Request, resource: Resource, filters: LeanFilterSet, order: Order) -> HttpResponse:
    said = request.query_params
    if "page" in said:
        raise ValidationError({"cursor": ["Ask for a page by its number or by a cursor, not by both."]})
    counts = BOOLEANS.get(said.get("count", "false").lower())
    if counts is None:
        raise ValidationError({"count": ["Must be a valid boolean."]})
    cursor = Cursor.read(said["cursor"], order)
    size = min(_size(request, resource.page_size), cursors.MOST)
    representation = resource.representation(request.version)
    rows = filters.result()
    if cursor.key is not None:
        rows = rows.filter(order.beyond(cursor.key, backwards=cursor.backwards))
    with searching(filters, settings.SALTANT.filter_time):
        count = resource.count(filters) if counts == "True" else None
        found = list(representation.rows(rows, order, backwards=cursor.backwards)[: size + 1])
    more, found = len(found) > size, found[:size]
    if cursor.backwards:
        found.reverse()
    keys = [row[-len(order.columns) :] for row in found]
    after, before = cursor.links(request, order, keys, more=more)
    page = Page(0, len(found), count, before, after)
    body = page.head + ",".join(representation.encode(found)) + "]}"
    return HttpResponse(body.encode(), content_type=JSON)


def _rows(page: Page, representation: Representation, filtered: QuerySet[Any], order: Order) -> Sequence[Row]:
    rows, after = representation.rows(filtered, order), (page.count or 0) - page.start - page.size
    if page.start <= after:
        return list(rows[page.start : page.start + page.size])
    # What comes before has to be skipped row by row: from the end there are fewer.
    return list(rows.reverse()[after : after + page.size])[::-1]


def find_page(request: Request, count: int, page_size: int) -> Page:
    """The page of a list of `count` rows that `request` asks for.

    Raises:
        NotFound: there is no such page.
        ValidationError: the size of pages is none.
    """
    size = _size(request, page_size)
    last = max(1, -(-count // size))
    given = request.query_params.get("page") or "1"
    number = last if given == "last" else _positive(given)
    if number is None or number > last:
        raise NotFound("Invalid page.")
    url = request.build_absolute_uri() if last > 1 else ""
    before = after = None
    if number > 1:
        before = replace_query_param(url, "page", number - 1) if number > 2 else remove_query_param(url, "page")
    if number < last:
        after = replace_query_param(url, "page", number + 1)
    start = (number - 1) * size
    return Page(start, min(size, count - start), count, before, after)


def _size(request: Request, default: int) -> int:
    """How many a page shall hold. A size that is none is the default in version 1, which is its contract.

    Raises:
        ValidationError: it is none, in version 2.
    """
    said = request.query_params.get("page_size", "")
    size = _positive(said)
    if size is None and said and request.version == "2":
        raise ValidationError({"page_size": ["Must be a whole number, 1 at least."]})
    return size or default


def _positive(text: str) -> int | None:
    """A positive integer of ASCII digits, or None."""
    return (int(text) or None) if text.isascii() and text.isdigit() and len(text) < 1000 else None


def _stream(
    page: Page, representation: Representation, filters: LeanFilterSet, filtered: QuerySet[Any], order: Order
) -> Iterator[bytes]:
    """The body, chunk by chunk. Each is a query of its own: a slow reader keeps nothing open in the database."""
    rows = representation.rows(filtered, order)
    left, start, comma = page.size, page.start, page.head
    while left > 0:
        # The count has searched all of these rows within the time allowed: this must not fail half-way.
        with searching(filters, settings.SALTANT.filter_time * 10):
            chunk = list(rows[start : start + min(CHUNK, left)])
        if not chunk:
            break
        yield (comma + ",".join(representation.encode(chunk))).encode()
        rows = representation.rows(filtered.filter(order.beyond(chunk[-1][-len(order.columns) :])), order)
        left, start, comma = left - len(chunk), 0, ","
    yield b"]}" if comma == "," else (page.head + "]}").encode()


@contextmanager
def searching(filters: LeanFilterSet, seconds: float) -> Iterator[None]:
    """Let regular expressions run for `seconds`; one that takes longer is the request's fault."""
    patterns = filters.searches
    if not patterns:
        yield
        return
    with regexes.budget(seconds) as limits:
        try:
            with regexes.limited_statements(seconds):
                yield
        except DataError as error:
            if regexes.failure_of(error) != regexes.NO_PATTERN:
                raise
            message = f"This is no regular expression that PostgreSQL can use: {str(error).splitlines()[0]}."
            raise ValidationError({name: [message] for name in patterns}) from None
        except (OperationalError, MemoryError) as error:
            if limits.exhausted_by is None and regexes.failure_of(error) != regexes.CANCELLED:
                raise
            message = (
                f"This regular expression takes more than {settings.SALTANT.filter_time:g} seconds, or too much memory."
            )
            # PostgreSQL does not say which it was.
            names = filters.parameters_of(limits.exhausted_by) or patterns
            raise ValidationError({name: [message] for name in names}) from None
