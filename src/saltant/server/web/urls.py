"""The paths of the pages."""

from django.contrib.auth.views import LogoutView
from django.urls import re_path

from saltant.server.web.reference import ReferenceView
from saltant.server.web.views import HomeView, SignInView

urlpatterns = [
    re_path("^$", HomeView.as_view(), name="home"),
    re_path("^login/?$", SignInView.as_view(), name="login"),
    re_path("^api/docs/?$", ReferenceView.as_view(), name="reference"),
    re_path("^logout/?$", LogoutView.as_view(), name="logout"),
]
