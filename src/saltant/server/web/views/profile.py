"""What one says about oneself: where mail goes to, the time zone, the password."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from saltant.server.accounts import people, sign_in_limits
from saltant.server.web import forms
from saltant.server.web.views.base import Page

REGIONS = frozenset(
    ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
)
BROWSERS = "the browser's"
PASSWORDS = (
    forms.Entry("old", "Password now", "password", required=True, autocomplete="current-password"),
    forms.Entry(
        "new",
        "New password",
        "password",
        "At least 8 characters, not only digits, and nothing that many people take.",
        required=True,
        autocomplete="new-password",
    ),
    forms.Entry("again", "New password, once more", "password", required=True, autocomplete="new-password"),
)


class ProfileView(Page):
    """GET of what one has said; POST changes it."""

    template_name = "web/account/profile.html"
    place = "profile"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The form."""
        return self.form({"email": self.user.email, "time_zone": self.user.time_zone}, {})

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Save it, or say what is wrong."""
        values = {name: request.POST.get(name, "").strip() for name in ("email", "time_zone")}
        try:
            people.set_profile(self.user, email=values["email"], time_zone=values["time_zone"], by=self.user)
        except people.Malformed as malformed:
            return self.form(values, malformed.errors)
        messages.success(request, "Saved.")
        return HttpResponseRedirect(reverse("profile"))

    def form(self, values: dict[str, str], errors: Any) -> HttpResponse:
        """The form, with what is wrong."""
        entries = (
            forms.Entry(
                "email", "Mail", "email", "Only admins see it.", autocomplete="email", example="ada@example.org"
            ),
            forms.Entry(
                "time_zone",
                "Time zone",
                "choice",
                "All pages show times in it.",
                choices=zone_choices(values["time_zone"]),
            ),
        )
        context = self.get_context_data(fields=forms.filled(entries, values, errors), now=timezone.now())
        return self.render_to_response(context, status=400 if errors else 200)


def zone_choices(chosen: str) -> list[tuple[str, str]]:
    """The time zones that somebody may pick: those of places, UTC, and what was picked before."""
    places = {name for name in people.zones() if name.partition("/")[0] in REGIONS} | {"UTC", chosen} - {""}
    return [("", BROWSERS), *((name, name.replace("_", " ")) for name in sorted(places))]


class PasswordView(Page):
    """GET of the form; POST changes one's own password. A wrong old one counts as a failed try to sign in."""

    template_name = "web/account/password.html"
    place = "profile"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The form."""
        return self.form({})

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Change it, or say what is wrong."""
        try:
            taken = sign_in_limits.take(request, self.user.get_username())
        except sign_in_limits.TooManyTries as refused:
            answer = self.form({"old": [str(refused.detail)]}, status=429)
            answer.headers["Retry-After"] = str(refused.seconds)
            return answer
        said = {each.name: request.POST.get(each.name, "") for each in PASSWORDS}
        if not self.user.check_password(said["old"]):
            return self.form({"old": ["This is not your password."]})
        sign_in_limits.tries.give_back(taken)
        if said["new"] != said["again"]:
            return self.form({"again": ["This is not what you typed above."]})
        try:
            people.set_password(self.user, said["new"], by=self.user)
        except people.Unfit as unfit:
            return self.form({"new": [str(unfit)]})
        update_session_auth_hash(request, self.user)
        messages.success(request, "Your password is changed. Whoever was signed in elsewhere as you no longer is.")
        return HttpResponseRedirect(reverse("profile"))

    def form(self, errors: dict[str, list[str]], status: int = 400) -> HttpResponse:
        """The form, with what is wrong, and without what was typed."""
        context = self.get_context_data(fields=forms.filled(PASSWORDS, {}, errors))
        return self.render_to_response(context, status=status if errors else 200)
