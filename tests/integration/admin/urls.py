"""The server's paths, with those that `saltant.server.urls` is to get."""

from django.contrib import admin
from django.urls import path

from saltant.server import urls
from saltant.server.health import readyz
from saltant.server.urls import handler400, handler403, handler404, handler500

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [path("admin/", admin.site.urls), path("readyz", readyz), *urls.urlpatterns]
