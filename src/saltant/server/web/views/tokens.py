"""Tokens: one's own, and for admins those of others; making one, and revoking one."""

import shlex
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import NotFound

from saltant.server.accounts import tokens
from saltant.server.accounts.models import Role, Token, User
from saltant.server.accounts.people import Unfit
from saltant.server.tasks.models import TaskQueue
from saltant.server.web import forms, zones
from saltant.server.web.views.base import Page

FEW = 20
"""How many of those that open nothing any more are shown."""
TEACH = """import saltant

client = saltant.from_env()
print(client.task_queues.get(name="default"))"""
NAME = forms.Entry(
    "name", "Name", help="What it is for, such as the machine or the program that has it.", example="laptop"
)
ENDS = (("30", "in 30 days"), ("7", "in a week"), ("365", "in a year"), ("at", "at the time below"), ("", "never"))


def key_of(name: str) -> int:
    """The id that a path names.

    Raises:
        NotFound: it is none.
    """
    if not (name.isascii() and name.isdigit() and len(name) < 19):
        raise NotFound
    return int(name)


def shown(found: "QuerySet[Token]") -> dict[str, Any]:
    """Tokens for a page: those that are valid, and the last ones that are no more."""
    now = timezone.now()
    ended = Q(datetime_revoked__isnull=False) | Q(datetime_expires__lte=now)
    rows = found.select_related("user").prefetch_related("queues").order_by("-id")
    return {"tokens": list(rows.exclude(ended)), "ended": list(rows.filter(ended)[:FEW])}


class TokensView(Page):
    """One's own tokens."""

    template_name = "web/account/tokens.html"
    place = "tokens"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(teach=TEACH, **shown(Token.objects.filter(user=self.user)), **kwargs)


class NewTokenView(Page):
    """GET of a form; POST makes a token, and shows its key: no redirect, which would have to carry it."""

    template_name = "web/account/token_new.html"
    place = "tokens"

    def whose(self) -> User:
        """Whose token it becomes: one's own, or for admins that of whom the query names.

        Raises:
            NotFound: there is no such user.
        """
        name = self.request.GET.get("user")
        if name is None:
            return self.user
        if not self.user.is_admin:
            raise PermissionDenied
        found = User.objects.filter(pk=key_of(name)).first()
        if found is None:
            raise NotFound
        return found

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The form."""
        return self.form(self.whose(), {"ends": ENDS[0][0], "role": Role.USER.value}, set(), {})

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Make it, or say what is wrong."""
        owner = self.whose()
        values = {name: request.POST.get(name, "").strip() for name in ("name", "ends", "until", "role")}
        picked = set(request.POST.getlist("queue"))
        errors: dict[str, list[str]] = {}
        role = Role.WORKER if values["role"] == Role.WORKER else Role.USER
        queues: list[TaskQueue] = []
        if role == Role.WORKER:
            if not self.user.is_admin:
                raise PermissionDenied
            queues = [each for each in TaskQueue.objects.order_by("name") if str(each.pk) in picked]
            if not queues:
                errors["queue"] = ["Pick the queues that the worker serves."]
        ends = self.ends(values, errors)
        if not errors:
            try:
                token, key = tokens.create_token(owner, role, queues, ends, values["name"], by=self.user)
            except Unfit as unfit:
                errors["name"] = [str(unfit)]
            else:
                return self.key(token, key)
        return self.form(owner, values, picked, errors)

    def ends(self, values: dict[str, str], errors: dict[str, list[str]]) -> datetime | None:
        """When it is to end."""
        said = values["ends"]
        if said != "at":
            if said not in dict(ENDS):
                errors["ends"] = ["Pick one of these."]
                return None
            return timezone.now() + timedelta(days=int(said)) if said else None
        try:
            moment = datetime.fromisoformat(values["until"])
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=zones.chosen() or UTC)
            moment = moment.astimezone(UTC)
        except (ValueError, OverflowError):
            errors["until"] = ["Write a date and a time, such as 2027-01-31T12:00."]
            return None
        if moment <= timezone.now():
            errors["until"] = ["This is not in the future."]
        return moment

    def key(self, token: Token, key: str) -> HttpResponse:
        """The page that shows the key, this once."""
        address = self.request.build_absolute_uri("/api/")
        if token.role == Role.WORKER:
            queues = " ".join(f"--queue {shlex.quote(queue.name)}" for queue in token.queues.order_by("name"))
            root = address.removesuffix("/api/")
            how = f"saltant worker {queues} --server {root} --token-file token"
        else:
            how = f"export SALTANT_API_URL={address}\nexport SALTANT_AUTH_TOKEN={key}"
        self.template_name = "web/account/token_key.html"
        answer = self.render_to_response(
            self.get_context_data(token=token, key=key, how=how, back=self.back(token.user))
        )
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def back(self, owner: User) -> str:
        """The page that lists it."""
        return reverse("tokens") if owner == self.user else reverse("user", args=[owner.pk])

    def form(self, owner: User, values: dict[str, str], picked: set[str], errors: dict[str, list[str]]) -> HttpResponse:
        """The form, with what is wrong."""
        where = zones.name()
        entries = (
            NAME,
            forms.Entry("ends", "It ends", "choice", choices=ENDS, required=True),
            forms.Entry("until", "Time of its end", "datetime-local", f"In {where}."),
        )
        context = self.get_context_data(
            owner=owner,
            is_own=owner == self.user,
            fields=forms.filled(entries, values, errors),
            role=values.get("role", ""),
            queues=[(each, str(each.pk) in picked) for each in TaskQueue.objects.order_by("name")]
            if self.user.is_admin
            else [],
            queue_errors=errors.get("queue", []),
            back=self.back(owner),
        )
        return self.render_to_response(context, status=400 if errors else 200)


class RevokeTokenView(Page):
    """GET asks whether a token is to be revoked; POST does it."""

    template_name = "web/account/token_revoke.html"
    place = "tokens"

    def token(self) -> Token:
        """The token: one's own, or for admins anybody's.

        Raises:
            NotFound: there is none, for who asks.
        """
        found = Token.objects.select_related("user").filter(pk=key_of(self.kwargs["name"])).first()
        if found is None or not (self.user.is_admin or found.user_id == self.user.pk):
            raise NotFound
        return found

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        token = self.token()
        return super().get_context_data(token=token, is_own=token.user == self.user, back=self.back(token), **kwargs)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Revoke it."""
        token = self.token()
        tokens.revoke(token, by=self.user)
        messages.success(request, f"The token {token.name or token.pk} opens nothing any more.")
        return HttpResponseRedirect(self.back(token))

    def back(self, token: Token) -> str:
        """The page that lists it."""
        return reverse("tokens") if token.user == self.user else reverse("user", args=[token.user_id])
