"""The server that is imported from, over version 1 of the wire, which is all that it need speak."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from saltant._http import Transport
from saltant.client import parse_base_url
from saltant.exceptions import UnexpectedResponse

JSON = dict[str, Any]

TIMEOUT = 300.0
"""Seconds that one request may take, with all its tries: a server that is started anew meanwhile is borne with."""
TRIES = 60
GREETING = 10.0
"""Seconds for the first request: a URL that is mistyped is told soon."""
NAMING = ("id", "uuid", "username", "user", "task_type", "task_queue")
A_PAGE = 1000
"""Things that a page is to hold; a server that allows fewer gives fewer."""


@dataclass(frozen=True)
class Page:
    """A page of a list."""

    count: int
    things: list[JSON]
    has_more: bool


class Source:
    """A released saltant server.

    Args:
        url: its base URL, with or without `/api/` at its end.
        token: of any user there: everybody may list everything.
        page_size: things that a page is to hold.

    Raises:
        ValueError: the URL is none.
    """

    def __init__(self, url: str, token: str, *, page_size: int = A_PAGE) -> None:
        self.url = parse_base_url(url if url.rstrip("/").endswith("/api") else f"{url.rstrip('/')}/api/")
        self._page_size = page_size
        self._transport = Transport(self.url, token, TIMEOUT, TRIES, 1)
        self._transport.session.headers["Accept"] = "application/json"  # version 1

    def greet(self) -> None:
        """See that it is there and knows the token, without much patience. Raises BadHttpRequestError."""
        self._transport.request("GET", "users/", params=[("page_size", "1")], timeout=GREETING)

    def all(self, path: str) -> list[JSON]:
        """Everything in a list. Raises BadHttpRequestError."""
        found: dict[Any, JSON] = {}
        number, page = 1, self.page(path, 1)
        found |= _by_key(page.things)
        while page.has_more:
            number += 1
            page = self.page(path, number)
            found |= _by_key(page.things)  # what moved to the next page meanwhile comes twice
        return list(found.values())

    def page(self, path: str, number: int, filters: JSON | None = None) -> Page:
        """One page of a list. Raises BadHttpRequestError."""
        said = {**(filters or {}), "page": number, "page_size": self._page_size}
        data = self._transport.request("GET", f"{path}/", params=[(name, str(value)) for name, value in said.items()])
        try:
            count, things = data["count"], data["results"]
            if not isinstance(count, int) or not all(_is_thing(each) for each in things):
                raise TypeError
            return Page(count, things, bool(data["next"]))
        except (KeyError, TypeError):
            raise UnexpectedResponse(f"{self.url}{path}/ answers, but with no page of a list of saltant's.") from None

    def pages(
        self, path: str, filters: JSON, left: int | None, count: int | None
    ) -> tuple[bool, Iterator[tuple[int, Page]]]:
        """The pages of a list whose first is the newest, from its last page on, each with how many are left then.

        Before them, whether they go on where this was broken off. Raises BadHttpRequestError, as do the pages.

        Args:
            left: how many pages there were left when this was broken off; None: all.
            count: how long the list was then: if it is not now, it begins anew.
        """
        first = self.page(path, 1, filters)
        last = -(-first.count // len(first.things)) if first.things else 0
        goes_on = left is not None and count == first.count
        if left is not None and goes_on:
            last = min(last, left)
        pages = (
            (number - 1, first if number == 1 and last == 1 else self.page(path, number, filters))
            for number in range(last, 0, -1)
        )
        return goes_on, pages

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()


def _is_thing(said: Any) -> bool:
    """Whether what is said may be a thing: an object whose names and ids are such."""
    return isinstance(said, dict) and all(isinstance(said.get(key), str | int | None) for key in NAMING)


def _by_key(things: list[JSON]) -> dict[Any, JSON]:
    return {each.get("id", each.get("username")): each for each in things}
