"""Django's admin, with our site in the place of Django's."""

from importlib import import_module

from django.contrib.admin.apps import AdminConfig


class SaltantAdminConfig(AdminConfig):
    default_site = "saltant.server.admin_site.SaltantAdminSite"

    def ready(self) -> None:
        """Find the pages. Those of the tasks are not in their app: they need the API, which tasks must not."""
        super().ready()
        import_module("saltant.server.admin_tasks")
