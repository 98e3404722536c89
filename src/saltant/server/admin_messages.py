"""Messages for the admin's pages. Elsewhere they would cost every request something, for nothing."""

from django.contrib.messages.middleware import MessageMiddleware
from django.http import HttpRequest, HttpResponse


class AdminMessages(MessageMiddleware):
    """Django's own, below /admin/ alone."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer one request."""
        if request.path_info.startswith("/admin/"):
            answer: HttpResponse = super().__call__(request)  # type: ignore[assignment]
            return answer
        return self.get_response(request)  # type: ignore[return-value]
