"""The HTTP application: what uvicorn serves."""

import re
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from saltant.server.bridge import Bridge, Receive, Scope, Send
from saltant.server.hub import board
from saltant.server.hub.app import Hub

EVERYDAY_THREADS = 16
BULK_THREADS = 4
BULK_PAGE = 1000
FILES = re.compile(r"/api/[a-z]+taskinstances/[^/]+/(?:(?:logs|results)/.+|results\.(?:zip|tar)/?)")
MANY = re.compile(r"/api/[a-z]+taskinstances/(?:many|clone|terminate)/?")
PATIENCE = 60.0
"""Seconds that a client may be silent before its request is whole."""


class Application:
    """Runs Django's views in threads; what is long, many rows or files, in a few of their own: so it starves nobody.

    Clients that wait are the hub's: they hold no thread.
    """

    def __init__(self) -> None:
        django: Any = get_wsgi_application()
        import_module(settings.ROOT_URLCONF)  # now, and not at the first request's expense
        max_body = settings.SALTANT.max_body
        self._everyday = Bridge(django, threads=EVERYDAY_THREADS, max_body=max_body, patience=PATIENCE)
        self._bulk = Bridge(django, threads=BULK_THREADS, max_body=max_body, patience=PATIENCE)
        self._hub = Hub(board, self._everyday)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "websocket":  # there are none
            await send({"type": "websocket.close", "code": 1000})
        if scope["type"] != "http":
            return
        serve = self._hub.find(scope)
        if serve is not None:
            await serve(scope, receive, send)
            return
        path = scope["path"]
        is_bulk = asks_for_many(scope["query_string"]) or asks_for_files(path) or is_about_many(path)
        await (self._bulk if is_bulk else self._everyday)(scope, receive, send)


def asks_for_many(query: bytes) -> bool:
    """Whether a query string asks for a page of many rows.

    >>> asks_for_many(b"page_size=9223372036854775807"), asks_for_many(b"page_size=100"), asks_for_many(b"")
    (True, False, False)
    """
    if b"page_size" not in query:
        return False
    sizes = parse_qs(query.decode("latin-1")).get("page_size", ["0"])
    return sizes[-1].isdecimal() and (len(sizes[-1]) > 9 or int(sizes[-1]) > BULK_PAGE)


def asks_for_files(path: str) -> bool:
    """Whether a path is that of a log's or a result's bytes, or of all results.

    >>> [asks_for_files(f"/api/executabletaskinstances/x/{end}") for end in ("logs/", "logs/stdout", "results.zip")]
    [False, True, True]
    """
    return FILES.fullmatch(path) is not None


def is_about_many(path: str) -> bool:
    """Whether a path is one at which many instances are made, cloned or terminated.

    >>> [is_about_many(f"/api/executabletaskinstances/{end}") for end in ("many/", "terminate", "x/terminate/")]
    [True, True, False]
    """
    return MANY.fullmatch(path) is not None
