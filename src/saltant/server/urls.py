"""Every path of the server, and what answers where there is none."""

from django.contrib import admin
from django.urls import include, path

from saltant.server.admin import find_pages
from saltant.server.health import readyz

find_pages()
urlpatterns = [
    path("readyz", readyz, name="readyz"),
    path("api/", include("saltant.server.api.urls")),
    path("admin/", admin.site.urls),
    path("", include("saltant.server.web.urls")),
]

handler400 = "saltant.server.api.errors.bad_request"
handler403 = "saltant.server.api.errors.forbidden"
handler404 = "saltant.server.api.errors.not_found"
handler500 = "saltant.server.api.errors.server_error"
