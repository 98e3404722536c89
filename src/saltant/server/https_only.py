"""Keeps plain HTTP out, where SALTANT_HTTPS says so."""

import ipaddress
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponsePermanentRedirect

from saltant.server.api.errors import json_error


class HttpsOnly:
    """Middleware. Browsers are sent to HTTPS. Programs are refused: their key has been sent in clear text, and somebody
    should notice. This machine itself (`saltant env`, health checks) may speak plainly.

    In the place of Django's own redirect, which knows neither.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer one request."""
        if request.is_secure() or is_local(request.META.get("REMOTE_ADDR", "")):
            return self.get_response(request)
        if request.path_info.startswith("/api") or request.method not in ("GET", "HEAD"):
            detail = "This server is reached by https:// alone. Keys that were sent without it should be revoked."
            return json_error(403, detail)
        return redirect(request)


def redirect(request: HttpRequest) -> HttpResponse:
    """To the same place, by HTTPS."""
    return HttpResponsePermanentRedirect(f"https://{request.get_host()}{request.get_full_path()}")


def is_local(address: str) -> bool:
    """Whether an address is one of this machine's own, as the server sees it.

    >>> is_local("127.0.0.1"), is_local("::1"), is_local("192.0.2.1"), is_local("")
    (True, True, False, False)
    >>> is_local("::ffff:127.0.0.1"), is_local("::ffff:192.0.2.1")
    (True, False)
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    # A server that listens on `::` sees clients of IPv4 so.
    return (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback
