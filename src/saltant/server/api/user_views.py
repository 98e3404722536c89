"""The view of one user."""

from typing import Any

from django.db import transaction
from django.http import HttpResponse
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from saltant.server.accounts import people
from saltant.server.api.views import DetailView, ResourceView


class MeView(ResourceView):
    """GET of the user who asks: a client knows its token alone."""

    def get(self, request: Request) -> HttpResponse:
        return self.answer(request, request.user.get_username())


class UserView(DetailView):
    """A user. Admins say how much of theirs runs at once, in version 2: in version 1 users are only read."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Find out the version first: it says which methods there are."""
        super().initial(request, *args, **kwargs)
        if request.version == "1":
            self.http_method_names = [name for name in self.http_method_names if name != "patch"]

    def patch(self, request: Request, name: str) -> HttpResponse:
        actor: Any = request.user
        request.data  # noqa: B018 - parse the body before the transaction
        with transaction.atomic():
            user = self.resource.get(name, lock=True)
            if not actor.is_admin:
                raise PermissionDenied
            serializer = self.serializer_for(request, user, partial=True)
            serializer.is_valid(raise_exception=True)
            if "max_running" in serializer.validated_data:
                people.set_max_running(user, serializer.validated_data["max_running"], by=actor)
        return self.answer(request, name)
