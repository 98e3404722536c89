"""Answers to what goes wrong outside the API's views. Under `/api/` they are JSON, always."""

import json
import logging
from typing import Any

from django.core.exceptions import DisallowedHost
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.views import defaults
from rest_framework.views import exception_handler

log = logging.getLogger("saltant.api")


def is_api(request: HttpRequest) -> bool:
    """Whether the request is one to the API."""
    return request.path_info.startswith("/api/") or request.path_info == "/api"


def json_error(status: int, detail: str, **more: Any) -> HttpResponse:
    """An answer that says what is wrong."""
    body = json.dumps({"detail": detail, **more}, ensure_ascii=False, separators=(",", ":"))
    return HttpResponse(body.encode("utf-8", "replace"), content_type="application/json", status=status)


def handle(error: Exception, context: dict[str, Any]) -> Any:
    """What the API's views answer to an exception: DRF's answer, but 503 where the database cannot be used."""
    if isinstance(error, OperationalError):
        log.error("The database cannot be used: %s", error)
        answer = json_error(503, "The database cannot be used now: its disk may be full. Try again later.")
        answer.headers["Retry-After"] = "5"
        return answer
    return exception_handler(error, context)


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
    """500: a fault of ours. The log holds it."""
    if is_api(request):
        return json_error(500, "The server failed at this request; its log says why.")
    return defaults.server_error(request)
