"""What every page carries."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.utils.cache import patch_vary_headers
from django_htmx.middleware import HtmxDetails

from saltant.server.api.errors import is_api
from saltant.server.web import zones

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
"""What a page may load and do: what comes from this server, and nothing that stands in the page itself."""
HEADERS = {"Content-Security-Policy": POLICY, "Cache-Control": "private, no-store"}


class PageHeaders:
    """Middleware. The headers of HTML, and what htmx said of a request, as `request.htmx`."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer one request."""
        asked: Any = request
        asked.htmx = HtmxDetails(request)
        response = self.get_response(request)
        if response.headers.get("Content-Type", "").startswith("text/html"):
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            patch_vary_headers(response, ["Cookie", "HX-Request"])
        return response


class TimeZone:
    """Middleware. Pages show times in the zone of who looks at them. The API's are in UTC."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer one request."""
        if is_api(request):
            return self.get_response(request)
        with zones.zone(getattr(request.user, "time_zone", "")):
            return self.get_response(request)
