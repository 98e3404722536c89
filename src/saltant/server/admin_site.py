"""Django's admin at /admin/: for admins, who sign in where everybody does. What is done goes into the audit log."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from saltant.server.accounts import sign_in_limits
from saltant.server.audit.log import identity, record, words
from saltant.server.audit.models import Action


class SaltantAdminSite(admin.AdminSite):
    """The admin's pages."""

    site_header = site_title = "saltant"
    index_title = "Administration"
    enable_nav_sidebar = False

    def has_permission(self, request: HttpRequest) -> bool:
        """Admins alone: no permission of Django's opens a part of it."""
        user: Any = request.user
        return bool(user.is_active and user.is_superuser)

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Sign in where everybody does: there the guesses are counted."""
        if request.user.is_authenticated:
            raise PermissionDenied
        return redirect_to_login(request.GET.get("next") or request.get_full_path())

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Change one's own password. A wrong old one counts as a failed try to sign in."""
        if request.method != "POST":
            return super().password_change(request, extra_context)
        who = actor(request)
        try:
            taken = sign_in_limits.take(request, who.get_username())
        except sign_in_limits.TooManyTries as refused:
            messages.error(request, str(refused.detail))
            request.method = "GET"  # the page, without what was sent
            page = super().password_change(request, extra_context)
            page.status_code = 429
            page["Retry-After"] = str(refused.seconds)
            return page
        with transaction.atomic():
            answer: Any = super().password_change(request, extra_context)
            if answer.status_code == 302:
                record(who, Action.SET_PASSWORD, who)
        if answer.status_code == 302 or "old_password" not in answer.context_data["form"].errors:
            sign_in_limits.tries.give_back(taken)
        return answer


class SilentAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Leaves Django's own log of the admin alone: entries there go when their user does. The audit log has them."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Nothing."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Nothing."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Nothing."""

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """What the audit log has of a thing."""
        found = self.get_object(request, unquote(object_id))
        if found is None:
            raise Http404
        if not self.has_view_or_change_permission(request, found):
            raise PermissionDenied
        kind, id_ = self.in_the_log(found)
        wanted = urlencode({"object_kind__exact": kind, "object_id__exact": id_})
        return HttpResponseRedirect(f"{reverse('admin:audit_auditentry_changelist')}?{wanted}")

    def in_the_log(self, thing: Any) -> tuple[str, str]:
        """The kind and the id under which the log has what a page shows."""
        return identity(thing)


class ReadOnlyAdmin(SilentAdmin):
    """To look at, and nothing else."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


class AuditedAdmin(SilentAdmin):
    """Writes every change into the audit log."""

    def record_change(self, request: HttpRequest, form: Any, changes: dict[str, list[Any]]) -> None:
        """Write a change down. `changes`: field to [old, new]."""
        record(actor(request), Action.UPDATE, form.instance, changes)

    def record_addition(self, request: HttpRequest, form: Any) -> None:
        """Write down that something was made."""
        record(actor(request), Action.CREATE, form.instance)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The last step of a save: what was, the form still knows."""
        super().save_related(request, form, formsets, change)
        if not change:
            self.record_addition(request, form)
        elif changes := changes_of(form):
            self.record_change(request, form, changes)

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        """One, by its page."""
        with transaction.atomic():
            record(actor(request), Action.DELETE, obj)
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Several, by the list's action."""
        for obj in queryset:
            self.delete_model(request, obj)


def changes_of(form: Any) -> dict[str, list[Any]]:
    """What a form that was saved changed: field to [old, new], as the form shows them."""
    return {name: [words(form.initial.get(name)), words(form.cleaned_data.get(name))] for name in form.changed_data}


def actor(request: HttpRequest) -> Any:
    """Who asks: nobody comes here who is not signed in."""
    return request.user
