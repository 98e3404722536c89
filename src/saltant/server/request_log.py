"""Gives each request an id, and writes down how it was answered."""

import logging
import re
import secrets
import time
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase

from saltant.logs import request_id
from saltant.server.accounts.models import User

log = logging.getLogger("saltant.requests")

SANE = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")
HEADER = "X-Request-Id"


class RequestLog:
    """Middleware. The id is what the client, or a proxy, sent in `X-Request-Id`, or a new one; the answer has it too.

    One event a request: debug, or a warning where the server itself failed. Paths only: queries are people's data.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer one request."""
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        ours = given if SANE.match(given) else secrets.token_hex(8)
        token = request_id.set(ours)
        began = time.perf_counter()
        try:
            response = self.get_response(request)
            response.headers[HEADER] = ours
            level = logging.WARNING if response.status_code >= 500 else logging.DEBUG
            if log.isEnabledFor(level):
                log.log(level, "%s %s", request.method, request.path, extra=_fields(request, response, began))
            return response
        finally:
            request_id.reset(token)


def _fields(request: HttpRequest, response: HttpResponseBase, began: float) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "status": response.status_code,
        "milliseconds": round((time.perf_counter() - began) * 1000, 1),
        "client": request.META.get("REMOTE_ADDR", ""),
    }
    # Somebody who was not asked for yet would cost a query.
    user: Any = request.__dict__.get("user")
    if type(user) is User:
        fields["user"] = user.username
    return fields
