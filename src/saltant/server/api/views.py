"""The views that all resources share: lists, single things, making and changing them."""

from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpResponse, HttpResponseBase
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.serializers import ModelSerializer
from rest_framework.views import APIView

from saltant.server.api import pagination
from saltant.server.api.forms import plain
from saltant.server.api.permissions import check_owner
from saltant.server.api.resources import USERS, Resource


class ResourceView(APIView):
    """A view of a resource; `as_view(resource=…)` says which."""

    resource: Resource = USERS

    def serializer_for(self, request: Request, instance: Any = None, **kwargs: Any) -> ModelSerializer[Any]:
        """A serializer that holds the body of `request`, as plain data."""
        serializer = self.resource.serializer(instance, data={}, **kwargs)
        serializer.initial_data = plain(request, serializer.fields)
        return serializer

    def save(self, serializer: ModelSerializer[Any], **values: Any) -> Any:
        """Save what `serializer` holds, if it is right."""
        serializer.is_valid(raise_exception=True)
        try:
            with transaction.atomic():
                return serializer.save(**values)
        except IntegrityError:
            # Somebody took the name since it was checked, or what was named is gone.
            serializer = type(serializer)(serializer.instance, data=serializer.initial_data, partial=serializer.partial)
            serializer.is_valid(raise_exception=True)
            message = "Somebody else changed this at the same time."
            raise ValidationError({"non_field_errors": [message]}) from None

    def answer(self, request: Request, name: str, status: int = 200) -> HttpResponse:
        """The thing that a path names."""
        return json_response(self.resource.body(request.version, name), status)


class ListView(ResourceView):
    """GET of a list."""

    def get(self, request: Request) -> HttpResponseBase:
        filters = self.resource.filters(
            request.query_params, self.resource.all(), strict=request.version == "2", also=pagination.PARAMETERS
        )
        return pagination.respond(request, self.resource, filters)


class ListCreateView(ListView):
    """A list to which things are added."""

    def post(self, request: Request) -> HttpResponse:
        thing = self.save(self.serializer_for(request), user=request.user)
        return self.answer(request, str(thing.pk), status=201)


class DetailView(ResourceView):
    """GET of one thing."""

    def get(self, request: Request, name: str) -> HttpResponse:
        return self.answer(request, name)


class ReplaceView(DetailView):
    """One thing that its owner replaces."""

    def put(self, request: Request, name: str) -> HttpResponse:
        return self.change(request, name, partial=False)

    def change(self, request: Request, name: str, *, partial: bool) -> HttpResponse:
        """Change the thing as the body says."""
        request.data  # noqa: B018 - read the body before the transaction: a slow client must not hold up others
        with transaction.atomic():
            thing = self.resource.get(name, lock=True)
            check_owner(request, thing)
            self.save(self.serializer_for(request, thing, partial=partial))
        return self.answer(request, name)


class ChangeView(ReplaceView):
    """One thing that its owner replaces or changes in part."""

    def patch(self, request: Request, name: str) -> HttpResponse:
        return self.change(request, name, partial=True)


def json_response(body: str, status: int = 200) -> HttpResponse:
    """An answer whose body is JSON already."""
    return HttpResponse(body.encode(), content_type="application/json", status=status)
