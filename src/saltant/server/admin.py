"""Django's admin, with our site in the place of Django's."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from django.apps import AppConfig
from django.contrib.admin import autodiscover
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks


class SaltantAdminConfig(SimpleAdminConfig):
    default_site = "saltant.server.admin_site.SaltantAdminSite"

    def ready(self) -> None:
        """Have Django check the pages. They are found when they are asked for: commands need none of them."""
        checks.register(check_dependencies, checks.Tags.admin)
        checks.register(_check, checks.Tags.admin)


def find_pages() -> None:
    """Find every page. Those of the tasks are not in their app: they need the API, which tasks must not."""
    autodiscover()
    import_module("saltant.server.admin_tasks")


def _check(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[checks.CheckMessage]:
    find_pages()
    return check_admin_app(app_configs, **options)
