"""What every answer of the API carries, and what no request may exceed."""

from collections.abc import Callable

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
        """An answer to a body that is too large; None if it is not. Bodies without a length get one from the bridge."""
        length = request.META.get("CONTENT_LENGTH") or "0"
        # Anything but a number was refused, or is not read, by the server before us.
        too_large = length.isdecimal() and int(length[:20]) > self.max_body
        return json_error(413, f"The body is larger than {self.max_body} bytes.") if too_large else None
