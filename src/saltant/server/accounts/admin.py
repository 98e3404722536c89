"""Users and tokens in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import Group
from django.db import transaction
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from saltant.server.accounts import people, tokens
from saltant.server.accounts.models import Role, Token, User
from saltant.server.admin_site import AuditedAdmin, actor
from saltant.server.audit.log import record
from saltant.server.audit.models import Action

admin.site.unregister(Group)  # nothing here asks for a group


class UserForm(UserChangeForm):  # type: ignore[type-arg]
    """A user. Django's page saves in the transaction that checks this."""

    def clean(self) -> Any:
        """The last active admin stays one."""
        data = super().clean()
        for name in ("is_superuser", "is_active"):
            if self.cleaned_data.get(name) is False and getattr(self.instance, name):
                try:
                    people.keep_an_admin([self.instance])
                except people.Unfit as error:
                    self.add_error(name, str(error))
        return data


@admin.register(User)
class UserAdmin(AuditedAdmin, DjangoUserAdmin):  # type: ignore[type-arg]
    """Users. An admin is a superuser; Django's other permissions mean nothing here."""

    form = UserForm
    list_display = ["username", "email", "is_superuser", "is_active", "last_login"]
    list_filter = ["is_superuser", "is_active"]
    search_fields = ["username", "email"]
    filter_horizontal = []
    fieldsets = [(None, {"fields": ["username", "password", "email", "is_superuser", "is_active", "max_running"]})]
    readonly_fields = ["last_login", "date_joined"]

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """An admin may come here, and nobody else."""
        obj.is_staff = obj.is_superuser
        super().save_model(request, obj, form, change)

    def log_change(self, request: HttpRequest, obj: User, message: Any) -> Any:
        """Django's page for passwords saves by itself, and tells only this."""
        if request.resolver_match and (request.resolver_match.url_name or "").endswith("password_change"):
            record(actor(request), Action.SET_PASSWORD, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """A user's tokens go too, although tokens are else revoked and kept. The last active admin stays."""
        todo, counts, needed, protected = super().get_deleted_objects(objs, request)
        try:
            with transaction.atomic():
                people.keep_an_admin(list(objs))
        except people.Unfit as error:
            messages.error(request, str(error))
            protected = [*protected, str(error)]
        return todo, counts, needed - {Token._meta.verbose_name, LogEntry._meta.verbose_name}, protected

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """One, and what opens for them."""
        now = timezone.now()
        with transaction.atomic():
            for token in obj.tokens.all():
                if token.is_valid(now):
                    tokens.revoke(token, by=actor(request))
            super().delete_model(request, obj)


class TokenForm(ModelForm):  # type: ignore[type-arg]
    """A new token."""

    class Meta:
        model = Token
        fields = ["user", "name", "role", "queues", "datetime_expires"]

    def clean(self) -> None:
        """A worker's token, and no other, is bound to queues."""
        super().clean()
        if (self.cleaned_data.get("role") == Role.WORKER) != bool(self.cleaned_data.get("queues")):
            self.add_error("queues", "A worker's token, and no other, names the queues that it is bound to.")


@admin.register(Token)
class TokenAdmin(AuditedAdmin):
    """Tokens: made, looked at, revoked. The key is shown once, its digest never."""

    form = TokenForm
    list_display = ["id", "user", "name", "role", "datetime_created", "datetime_expires", "datetime_revoked"]
    list_filter = ["role"]
    list_select_related = ["user"]
    search_fields = ["user__username", "name"]
    fields = ["user", "name", "role", "queues", "datetime_created", "datetime_expires", "datetime_revoked"]
    autocomplete_fields = ["user"]
    actions = ["revoke"]

    def get_fields(self, request: HttpRequest, obj: Token | None = None) -> Any:
        """A new one has no history."""
        return self.fields if obj else TokenForm.Meta.fields

    def has_change_permission(self, request: HttpRequest, obj: Token | None = None) -> bool:
        """What a key opens stays as it was made."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Token | None = None) -> bool:
        """Revoking leaves a trace."""
        return False

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        """What the form says, before it is saved."""
        return form.save(commit=False)

    def save_model(self, request: HttpRequest, obj: Token, form: Any, change: bool) -> None:
        """Make it; its key is kept for the answer alone."""
        said = form.cleaned_data
        made, key = tokens.create_token(
            said["user"], Role(said["role"]), said["queues"], said["datetime_expires"], said["name"], by=actor(request)
        )
        obj.pk, obj.key = made.pk, key  # type: ignore[attr-defined]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """`create_token` did it, and wrote it down."""

    def response_add(self, request: HttpRequest, obj: Token, post_url_continue: Any = None) -> HttpResponse:
        """Show the key: no redirect, which would have to carry it."""
        key: str = obj.key  # type: ignore[attr-defined]
        context = {**self.admin_site.each_context(request), "token": obj, "key": key, "title": "The key"}
        return TemplateResponse(request, "admin/accounts/token/key.html", context)

    @admin.action(description="Revoke the selected tokens")
    def revoke(self, request: HttpRequest, queryset: Any) -> None:
        """Let them open nothing any more."""
        for token in queryset:
            tokens.revoke(token, by=actor(request))
        self.message_user(request, f"Revoked {len(queryset)} tokens.", messages.SUCCESS)
