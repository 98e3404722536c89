"""Users: the list, and making one. For admins."""

from typing import Any

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from saltant.server.accounts import people
from saltant.server.accounts.models import User
from saltant.server.api.resources import USERS
from saltant.server.tasks.arguments import text_flaw
from saltant.server.web import forms
from saltant.server.web.listing import listing
from saltant.server.web.views.base import Page

ALSO = frozenset({"q", "show"})
LONGEST_SEARCH = 200
TEACH = "saltant user create ada\nsaltant token create ada --name laptop"
SHOW = (("", "active"), ("admins", "active admins"), ("deactivated", "deactivated"), ("all", "all"))
MADE_UP, TYPED, NONE = "made-up", "typed", "none"
PASSWORD_KINDS = ((MADE_UP, "made up, and shown once"), (TYPED, "the one below"))
ROLES = (("", "user: what is theirs"), ("admin", "admin: everything"))
NEW = (
    forms.Entry(
        "username", "Username", help="Letters, digits and any of @.+-_: it stays so.", required=True, example="ada"
    ),
    forms.Entry("email", "Mail", "email"),
    forms.Entry("role", "Role", "choice", choices=ROLES, required=True),
    forms.Entry(
        "kind",
        "Password",
        "choice",
        choices=(*PASSWORD_KINDS, (NONE, "none: tokens alone, for programs")),
        required=True,
    ),
    forms.Entry("password", "Typed password", "password", "At least 8 characters.", autocomplete="new-password"),
)


class UsersView(Page):
    """All users that may sign in, or those that the address asks for."""

    template_name = "web/users/list.html"
    place = "users"
    for_admins = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        page = listing(self.request, USERS, narrow=narrowed, also=ALSO)
        chosen = dict(self.request.GET.items())
        names = [row["username"] for row in page.rows]
        valid = Q(tokens__datetime_revoked=None) & (
            Q(tokens__datetime_expires=None) | Q(tokens__datetime_expires__gt=timezone.now())
        )
        found = User.objects.filter(username__in=names).annotate(valid_tokens=Count("tokens", filter=valid))
        return super().get_context_data(
            page=page,
            rows=sorted(found, key=lambda each: names.index(each.username)),
            errors=page.errors,
            chosen=chosen,
            kept=page.filters,
            show=SHOW,
            teach=TEACH,
            is_filtered=bool(page.filters or chosen.get("q") or chosen.get("show")),
            **kwargs,
        )

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        return super().render_to_response(context, status=400 if context["errors"] else 200, **kwargs)


def narrowed(rows: "QuerySet[Any]", query: QueryDict) -> "QuerySet[Any]":
    """Those whom `show` means, and in whose name or address the text `q` is found.

    Raises:
        ValidationError: nothing is like that.
    """
    show, text = query.get("show", ""), query.get("q", "").strip()
    if show not in dict(SHOW):
        raise ValidationError({"show": [f"Show {', '.join(filter(None, dict(SHOW)))}, or nothing."]})
    if len(text) > LONGEST_SEARCH or text_flaw(text):
        raise ValidationError({"q": [f"Search for a text of {LONGEST_SEARCH} characters at most."]})
    if show != "all":
        rows = rows.filter(is_active=show != "deactivated")
    if show == "admins":
        rows = rows.filter(is_superuser=True)
    return rows.filter(Q(username__icontains=text) | Q(email__icontains=text)) if text else rows


class NewUserView(Page):
    """GET of an empty form; POST makes a user, and shows a password that was made up."""

    template_name = "web/users/form.html"
    place = "users"
    for_admins = True

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The form."""
        return self.form({"kind": MADE_UP}, {})

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Make them, or say what is wrong."""
        values = forms.sent(NEW, request.POST)
        kind = values["kind"]
        password = {MADE_UP: people.made_up_password(), TYPED: values["password"]}.get(kind)
        try:
            made = people.create_user(
                values["username"].strip(),
                email=values["email"].strip(),
                password=password,
                admin=values["role"] == "admin",
                by=self.user,
            )
        except people.Malformed as malformed:
            return self.form(values | {"password": ""}, malformed.errors)
        if kind == MADE_UP:
            return shown_once(self, made, password or "")
        messages.success(request, f"{made.username} is there.")
        return HttpResponseRedirect(reverse("user", args=[made.pk]))

    def form(self, values: dict[str, str], errors: Any) -> HttpResponse:
        """The form, with what is wrong."""
        of_fields, others = forms.sorted_out(errors, [each.name for each in NEW])
        context = self.get_context_data(fields=forms.filled(NEW, values, of_fields), errors=others)
        return self.render_to_response(context, status=400 if errors else 200)


def shown_once(page: Page, user: User, password: str) -> HttpResponse:
    """The page with a password that was made up: no redirect, which would have to carry it."""
    page.template_name = "web/users/password_shown.html"
    there = page.request.build_absolute_uri(reverse("login"))
    answer = page.render_to_response(page.get_context_data(person=user, password=password, there=there))
    answer.headers["Cache-Control"] = "no-store"
    return answer
