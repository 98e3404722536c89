"""Django's admin at /admin/: for admins, who sign in where everybody does. What is done goes into the audit log."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from saltant.server.audit.log import record, words
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


class SilentAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Leaves Django's own log of the admin alone: entries there go when their user does. The audit log has them."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Nothing."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Nothing."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Nothing."""


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
