"""Which version of the bodies a request wants. The common headers are recognised without parsing them."""

from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request

PLAIN = "application/json"
KNOWN = {
    "": PLAIN,
    "*/*": PLAIN,
    PLAIN: PLAIN,
    "application/json; version=1": "application/json; version=1",
    "application/json; version=2": "application/json; version=2",
}


class JSONNegotiation(DefaultContentNegotiation):
    """JSON is all there is, in versions."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        known = KNOWN.get(request.META.get("HTTP_ACCEPT", ""))
        if known is not None:
            return renderers[0], known
        return super().select_renderer(request, renderers, format_suffix)
