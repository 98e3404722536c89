"""Django's admin, with our site in the place of Django's."""

from django.contrib.admin.apps import AdminConfig


class SaltantAdminConfig(AdminConfig):
    default_site = "saltant.server.admin_site.SaltantAdminSite"
