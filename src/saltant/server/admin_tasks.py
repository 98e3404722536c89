"""Types, whitelists, queues, instances and attempts in the admin. Changes keep the rules of the API."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest

from saltant.server.admin_site import AuditedAdmin, ReadOnlyAdmin, actor
from saltant.server.admin_type_form import TypeForm
from saltant.server.api.container_fields import CONTAINER
from saltant.server.tasks import services
from saltant.server.tasks.models import LIMITS, TaskAttempt, TaskInstance, TaskQueue, TaskType, TaskWhitelist


@admin.register(TaskType)
class TaskTypeAdmin(AuditedAdmin):
    """Types. What their whitelists promise is `services.update_type`'s to keep."""

    form = TypeForm
    list_display = ["name", "task_class", "user", "command_to_run", "container_image"]
    list_filter = ["task_class", "container_type"]
    list_select_related = ["user"]
    search_fields = ["name", "command_to_run", "container_image"]
    autocomplete_fields = ["user"]
    fieldsets = [
        (None, {"fields": ["task_class", "name", "user", "description", "command_to_run"]}),
        ("Arguments", {"fields": ["required_arguments", "required_arguments_default_values", "json_file_option"]}),
        ("Environment", {"fields": ["environment_variables"]}),
        ("Container", {"fields": ["container_type", "container_image", "logs_path", "results_path", *CONTAINER]}),
        ("Limits", {"fields": LIMITS}),
    ]

    def get_readonly_fields(self, request: HttpRequest, obj: TaskType | None = None) -> Any:
        """A type stays of its class: its instances are."""
        return ["task_class"] if obj else []

    def save_model(self, request: HttpRequest, obj: TaskType, form: Any, change: bool) -> None:
        """Save it; a change is the services'."""
        if not change:
            super().save_model(request, obj, form, change)
            services.add_revision(obj, actor(request))
            return
        changes = {name: form.cleaned_data[name] for name in form.changed_data}
        lost = services.update_type(obj, changes, actor(request))
        if lost:
            names = ", ".join(whitelist.name for whitelist in lost)
            self.message_user(request, f"Taken off the whitelists {names}: what it runs has changed.", messages.WARNING)

    def record_change(self, request: HttpRequest, form: Any, changes: dict[str, list[Any]]) -> None:
        """The services have done that."""


@admin.register(TaskWhitelist)
class TaskWhitelistAdmin(AuditedAdmin):
    """Whitelists."""

    list_display = ["name", "user", "description"]
    list_select_related = ["user"]
    search_fields = ["name", "description"]
    autocomplete_fields = ["user", "task_types"]


@admin.register(TaskQueue)
class TaskQueueAdmin(AuditedAdmin):
    """Queues."""

    list_display = ["name", "user", "private", "active", "paused"]
    list_filter = ["private", "active", "paused"]
    list_select_related = ["user"]
    search_fields = ["name", "description"]
    autocomplete_fields = ["user", "whitelists"]

    def save_model(self, request: HttpRequest, obj: TaskQueue, form: Any, change: bool) -> None:
        """Save it; letting starts on needs the services, which send what waited."""
        if not change:
            super().save_model(request, obj, form, change)
            return
        # What nobody changed here may have been changed elsewhere since the form read it.
        own = {field.name for field in obj._meta.concrete_fields} - {"paused", "name"}
        if "name" in form.changed_data:
            services.rename_queue(obj, form.cleaned_data["name"])
        obj.save(update_fields=own.intersection(form.changed_data))
        if "paused" in form.changed_data:
            services.set_paused(obj, form.cleaned_data["paused"], actor(request))

    def record_change(self, request: HttpRequest, form: Any, changes: dict[str, list[Any]]) -> None:
        """Pausing has been written down."""
        changes.pop("paused", None)
        if changes:
            super().record_change(request, form, changes)


class AttemptInline(admin.TabularInline):  # type: ignore[type-arg]
    """An instance's attempts."""

    model = TaskAttempt
    extra = 0
    can_delete = False
    ordering = ["number"]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


class FewPages(ReadOnlyAdmin):
    """A table that may be long: nothing counts all of it."""

    show_full_result_count = False
    list_per_page = 50


@admin.register(TaskInstance)
class TaskInstanceAdmin(FewPages):
    """Instances: looked at, and ended."""

    list_display = ["uuid", "name", "task_type", "task_queue", "user", "state", "reason", "datetime_created"]
    list_filter = ["state", "task_class"]
    list_select_related = ["task_type", "task_queue", "user"]
    search_fields = ["uuid__exact", "name"]
    inlines = [AttemptInline]
    actions = ["terminate"]

    @admin.action(description="Terminate the selected task instances")
    def terminate(self, request: HttpRequest, queryset: Any) -> None:
        """Have them ended, as the API does."""
        asked = 0
        for instance in queryset:
            services.terminate(instance=instance, user=actor(request))
            asked += 1
        self.message_user(request, f"Asked for the end of {asked} instances.", messages.SUCCESS)


@admin.register(TaskAttempt)
class TaskAttemptAdmin(FewPages):
    """Attempts: looked at."""

    list_display = ["instance", "number", "worker", "datetime_claimed", "datetime_finished", "reason", "exit_code"]
    list_filter = ["reason"]
    list_select_related = ["instance"]
    search_fields = ["instance__uuid__exact", "worker"]

    def in_the_log(self, thing: TaskAttempt) -> tuple[str, str]:
        """What people do, they do to its instance."""
        return super().in_the_log(thing.instance)
