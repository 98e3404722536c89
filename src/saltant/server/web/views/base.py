"""What every page's view does."""

from typing import Any, ClassVar

from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.views.generic import TemplateView
from rest_framework import exceptions

from saltant.server.accounts.models import User


class Page(LoginRequiredMixin, TemplateView):
    """A page for whoever is signed in.

    The API's own functions find things and check rights: what they raise becomes the page that says so.

    Attributes:
        place: the name of the path that is marked in the navigation.
        part_name: the template of what htmx fetches again; empty: the page has no such part.
        for_admins: whether others get the page that says no.
    """

    place: ClassVar[str] = ""
    part_name: ClassVar[str] = ""
    for_admins: ClassVar[bool] = False

    @property
    def user(self) -> User:
        """Who looks at it."""
        user: Any = self.request.user
        return user  # type: ignore[no-any-return]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer one request."""
        try:
            if self.for_admins and request.user.is_authenticated and not self.user.is_admin:
                raise PermissionDenied
            return super().dispatch(request, *args, **kwargs)
        except exceptions.NotFound:
            raise Http404 from None
        except exceptions.PermissionDenied:
            raise PermissionDenied from None

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Lead who follows a form's address as a link, back from signing in say, to where the form is."""
        if request.method in ("GET", "HEAD"):
            return HttpResponseRedirect(reverse(self.place or "home"))
        return super().http_method_not_allowed(request, *args, **kwargs)

    def get_template_names(self) -> list[str]:
        """The page, or the part of it that is fetched again."""
        request: Any = self.request
        if self.part_name and request.htmx:
            return [self.part_name]
        return super().get_template_names()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """What the template shows."""
        return super().get_context_data(place=self.place, **kwargs)


def messages_of(errors: Any) -> list[str]:
    """The sentences of the API's errors, one after the other, with the names of what they are about.

    >>> messages_of({"non_field_errors": ["No."], "name": ["Too long."], "detail": "Gone."})
    ['No.', 'name: Too long.', 'Gone.']
    """
    if not isinstance(errors, dict):
        return [str(each) for each in (errors if isinstance(errors, list) else [errors])]
    found = []
    for name, said in errors.items():
        prefix = "" if name in ("non_field_errors", "detail") else f"{name}: "
        found += [f"{prefix}{each}" for each in messages_of(said)]
    return found
