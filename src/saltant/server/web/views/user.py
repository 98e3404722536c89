"""One user, for admins: role, limit, password, tokens, letting go and letting in again."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from rest_framework.exceptions import NotFound

from saltant.server.accounts import people
from saltant.server.accounts.models import Token, User
from saltant.server.tasks.models import TaskInstance
from saltant.server.web import forms
from saltant.server.web.views.base import Page
from saltant.server.web.views.tokens import key_of, shown
from saltant.server.web.views.users import MADE_UP, PASSWORD_KINDS, ROLES, TYPED, shown_once
from saltant.states import State

EDIT = (
    forms.Entry("email", "Mail", "email"),
    forms.Entry("role", "Role", "choice", choices=ROLES, required=True),
    forms.Entry("max_running", "At once", "number", "How many of their instances run at once. Empty: no limit."),
)
PASSWORD = (
    forms.Entry("kind", "New password", "choice", choices=PASSWORD_KINDS, required=True),
    forms.Entry("password", "Typed password", "password", "At least 8 characters.", autocomplete="new-password"),
)


class OfUser(Page):
    """A page of one user."""

    place = "users"
    for_admins = True

    def person(self) -> User:
        """The user whom the path names.

        Raises:
            NotFound: there is none.
        """
        found = User.objects.filter(pk=key_of(self.kwargs["name"])).first()
        if found is None:
            raise NotFound
        return found

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        person = kwargs.pop("person", None) or self.person()
        return super().get_context_data(person=person, is_self=person == self.user, **kwargs)

    def back(self, person: User) -> HttpResponseBase:
        """To the page of the user."""
        return HttpResponseRedirect(reverse("user", args=[person.pk]))


class UserView(OfUser):
    """What there is to know of a user."""

    template_name = "web/users/one.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        person = self.person()
        running = TaskInstance.objects.filter(user=person, state=State.RUNNING).count()
        return super().get_context_data(
            person=person, running=running, **shown(Token.objects.filter(user=person)), **kwargs
        )


class EditUserView(OfUser):
    """GET of a form; POST changes a user's mail, role and limit, all or none."""

    template_name = "web/users/edit.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The form."""
        person = self.person()
        limit = "" if person.max_running is None else str(person.max_running)
        values = {"email": person.email, "role": "admin" if person.is_admin else "", "max_running": limit}
        return self.form(person, values, {})

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Save it, or say what is wrong."""
        person, values, field = self.person(), forms.sent(EDIT, request.POST), "email"
        limit = values["max_running"].strip()
        if limit and not (limit.isascii() and limit.isdigit() and len(limit) < 20):
            return self.form(person, values, {"max_running": ["Write a whole number, 1 or more, or nothing."]})
        try:
            with transaction.atomic():
                email = values["email"].strip()
                people.set_profile(person, email=email, time_zone=person.time_zone, by=self.user)
                field = "max_running"
                people.set_max_running(person, int(limit) if limit else None, by=self.user)
                field = "role"
                people.set_admin(person, values["role"] == "admin", by=self.user)
        except people.Malformed as malformed:
            return self.form(person, values, malformed.errors)
        except people.Unfit as unfit:
            return self.form(person, values, {field: [str(unfit)]})
        messages.success(request, "Saved.")
        return self.back(person) if self.user != person or person.is_admin else HttpResponseRedirect(reverse("home"))

    def form(self, person: User, values: dict[str, str], errors: Any) -> HttpResponse:
        """The form, with what is wrong."""
        context = self.get_context_data(person=person, fields=forms.filled(EDIT, values, errors))
        return self.render_to_response(context, status=400 if errors else 200)


class UserPasswordView(OfUser):
    """GET of a form; POST gives a user another password, which ends their sessions."""

    template_name = "web/users/password.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The form."""
        return self.form({})

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Set it, or say what is wrong."""
        person, kind = self.person(), request.POST.get("kind", "")
        password = people.made_up_password() if kind == MADE_UP else request.POST.get("password", "")
        try:
            people.set_password(person, password, by=self.user)
        except people.Unfit as unfit:
            return self.form({"password": [str(unfit)]}, TYPED)
        if person == self.user:
            update_session_auth_hash(request, person)
        if kind == MADE_UP:
            return shown_once(self, person, password)
        messages.success(request, f"{person.username} has a new password.")
        return self.back(person)

    def form(self, errors: dict[str, list[str]], kind: str = MADE_UP) -> HttpResponse:
        """The form, with what is wrong."""
        context = self.get_context_data(fields=forms.filled(PASSWORD, {"kind": kind}, errors))
        return self.render_to_response(context, status=400 if errors else 200)


class KeepUserView(OfUser):
    """POST of `do`: deactivate, which is asked about first, or activate."""

    template_name = "web/users/deactivate.html"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Ask, or do."""
        person, deed, error = self.person(), request.POST.get("do", ""), ""
        if deed == "activate":
            people.activate(person, by=self.user)
            messages.success(request, f"{person.username} may sign in again.")
            return self.back(person)
        if deed != "deactivate":
            raise NotFound
        if request.POST.get("confirmed"):
            try:
                people.deactivate(person, by=self.user)
            except people.Unfit as unfit:
                error = str(unfit)
            else:
                messages.success(request, f"{person.username} is let in no more.")
                return self.back(person)
        context = self.get_context_data(person=person, error=error)
        return self.render_to_response(context, status=400 if error else 200)
