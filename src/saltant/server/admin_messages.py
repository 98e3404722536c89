"""Messages for pages. The API has none: they would cost every request something, for nothing."""

from django.contrib.messages.middleware import MessageMiddleware
from django.http import HttpRequest, HttpResponse

from saltant.server.api.errors import is_api


class PageMessages(MessageMiddleware):
    """Django's own, outside the API."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer one request."""
        if not is_api(request):
            answer: HttpResponse = super().__call__(request)  # type: ignore[assignment]
            return answer
        return self.get_response(request)  # type: ignore[return-value]
