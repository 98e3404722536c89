"""The audit log in the admin."""

from typing import Any

from django.contrib import admin

from saltant.server.admin_site import ReadOnlyAdmin
from saltant.server.audit.models import AuditEntry


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """To look at."""

    list_display = ["datetime", "actor", "action", "object_kind", "object_name", "object_id"]
    list_filter = ["action", "object_kind"]
    search_fields = ["actor", "object_name", "object_id"]
    date_hierarchy = "datetime"

    def in_the_log(self, thing: Any) -> tuple[str, str]:
        """An entry's history is that of what it is about."""
        return thing.object_kind, thing.object_id
