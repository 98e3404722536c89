"""What every answer of the API carries, and what no request may exceed."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

from saltant.server.api.errors import is_api, json_error

HEADERS = {
    "Saltant-Version": "2",
    "Vary": "Accept, Authorization, Cookie",
    "Cache-Control": "private, no-store",
}

Handler = Callable[[HttpRequest], HttpResponseBase]


class Health:
    """Answers `/healthz`, before anything else looks at the request."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info == "/healthz":
            return HttpResponse(b'{"status":"ok"}', content_type="application/json")
        return self.get_response(request)


class ApiHeaders:
    """Headers that every answer of the API has, errors too, and the limit of a body's size."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response
        self.max_body: int = settings.SALTANT.max_body

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.refuse_body(request) or self.get_response(request)
        if is_api(request):
            for name, value in HEADERS.items():
                response.headers[name] = value
        return response

    def refuse_body(self, request: HttpRequest) -> HttpResponse | None:
        """An answer to a body that is too large; None if the body is not."""
        meta = request.META
        length = meta.get("CONTENT_LENGTH")
        if length:
            # Anything but a number was refused, or is not read, by the server before us.
            too_large = length.isdecimal() and int(length[:20]) > self.max_body
        elif "chunked" in meta.get("HTTP_TRANSFER_ENCODING", "").lower():
            too_large = not self.read_chunked(request)
        else:
            return None
        return json_error(413, f"The body is larger than {self.max_body} bytes.") if too_large else None

    def read_chunked(self, request: HttpRequest) -> bool:
        """Read a body without a length, which Django would take for an empty one; False if it is too large."""
        source: Any = request.META.get("wsgi.input")
        parts: list[bytes] = []
        left = self.max_body
        while source is not None and (part := source.read(min(left + 1, 65536))):
            left -= len(part)
            if left < 0:
                return False
            parts.append(part)
        body = b"".join(parts)
        request.META["CONTENT_LENGTH"] = str(len(body))
        request._stream = BytesIO(body)  # what Django itself reads from
        return True
