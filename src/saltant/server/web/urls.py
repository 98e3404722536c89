"""The paths of the pages."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import re_path

from saltant.server.web.views import HomeView

urlpatterns = [
    re_path("^$", HomeView.as_view(), name="home"),
    re_path(
        "^login/?$", LoginView.as_view(template_name="web/login.html", redirect_authenticated_user=True), name="login"
    ),
    re_path("^logout/?$", LogoutView.as_view(), name="logout"),
]
