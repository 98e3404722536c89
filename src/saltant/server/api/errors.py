"""Answers to what goes wrong outside the API's views. Under `/api/` they are JSON, always."""

import json
import logging
import sys
from typing import Any, Literal

from django.core.exceptions import DisallowedHost
from django.db import IntegrityError, InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views import defaults
from rest_framework.exceptions import ValidationError
from rest_framework.views import exception_handler

log = logging.getLogger("saltant.api")

UNUSABLE = (OperationalError, InterfaceError)
"""What is raised where the database is away, was lost, or cannot write."""
GONE = "Something that this names was deleted at the same time: look again, and send it anew."


def is_api(request: HttpRequest) -> bool:
    """Whether the request is one to the API."""
    return request.path_info.startswith("/api/") or request.path_info == "/api"


def json_error(status: int, detail: str, **more: Any) -> HttpResponse:
    """An answer that says what is wrong."""
    body = json.dumps({"detail": detail, **more}, ensure_ascii=False, separators=(",", ":"))
    return HttpResponse(body.encode("utf-8", "replace"), content_type="application/json", status=status)


def handle(error: Exception, context: dict[str, Any]) -> Any:
    """What the API's views answer to an exception: DRF's answer, but 503 where the database cannot be used."""
    if isinstance(error, UNUSABLE):
        return _unusable(error, "api")
    return exception_handler(ValidationError({"non_field_errors": [GONE]}) if is_gone(error) else error, context)


def is_gone(error: BaseException) -> bool:
    """Whether something is to be saved that names what is deleted: databases look at the end of a transaction."""
    if not isinstance(error, IntegrityError):
        return False
    return getattr(error.__cause__, "sqlstate", None) == "23503" or "FOREIGN KEY constraint" in str(error)


def _unusable(error: BaseException, asked: Literal["api", "page"]) -> HttpResponse:
    """503: what the server itself cannot mend. The next request tries again, on a new connection if it must."""
    log.error("The database cannot be used: %s", error)
    why = "its disk may be full" if connection.vendor == "sqlite" else "it may be away or full"
    said = f"The database cannot be used now: {why}. Try again later."
    answer = json_error(503, said) if asked == "api" else HttpResponse(render_to_string("503.html"), status=503)
    answer.headers["Retry-After"] = "5"
    return answer


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400: Django refuses the request before a view sees it."""
    if not is_api(request):
        return defaults.bad_request(request, exception)
    if isinstance(exception, DisallowedHost):
        host = request.META.get("HTTP_HOST", "")[:100]
        return json_error(
            400, f"This server does not answer to the name {host!r}. SALTANT_ALLOWED_HOSTS lists its names."
        )
    return json_error(400, "Bad request.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """403."""
    if is_api(request):
        return json_error(403, "You do not have permission to perform this action.")
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: no such path."""
    return json_error(404, "Not found.") if is_api(request) else defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """500: a fault of ours. The log holds it. But 503 where a middleware or a page cannot use the database."""
    error = sys.exc_info()[1]
    if isinstance(error, UNUSABLE):
        return _unusable(error, "api" if is_api(request) else "page")
    if is_api(request):
        return json_error(500, "The server failed at this request; its log says why.")
    return defaults.server_error(request)
