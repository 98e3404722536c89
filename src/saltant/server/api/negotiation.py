"""Which version of the bodies a request wants. The common headers are recognised without parsing them."""

from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.versioning import AcceptHeaderVersioning

PLAIN = "application/json"
KNOWN = {
    "": PLAIN,
    "*/*": PLAIN,
    PLAIN: PLAIN,
    "application/json; version=1": "application/json; version=1",
    "application/json; version=2": "application/json; version=2",
}
VERSIONS = {PLAIN: "1", f"{PLAIN}; version=1": "1", f"{PLAIN}; version=2": "2"}


class JSONNegotiation(DefaultContentNegotiation):
    """JSON is all there is, in versions."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        known = KNOWN.get(request.META.get("HTTP_ACCEPT", ""))
        if known is not None:
            return renderers[0], known
        return super().select_renderer(request, renderers, format_suffix)


class Versioning(AcceptHeaderVersioning):
    """The version that the Accept header names."""

    def determine_version(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        known = VERSIONS.get(request.accepted_media_type or "")
        return known or super().determine_version(request, *args, **kwargs)
