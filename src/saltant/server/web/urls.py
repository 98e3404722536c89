"""The paths of the pages."""

from typing import Any

from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, re_path

from saltant.server.web.reference import ReferenceView
from saltant.server.web.views.acts import ActView
from saltant.server.web.views.audit import AuditView
from saltant.server.web.views.home import HomeView
from saltant.server.web.views.instance import InstanceView
from saltant.server.web.views.instance_list import InstancesView
from saltant.server.web.views.keep import KeepQueueView, KeepTypeView, KeepWhitelistView
from saltant.server.web.views.profile import PasswordView, ProfileView
from saltant.server.web.views.queue import QueueView
from saltant.server.web.views.queues import EditQueueView, NewQueueView, QueuesView
from saltant.server.web.views.result import ResultImageView, ResultView
from saltant.server.web.views.run import RunView
from saltant.server.web.views.schedule import ScheduleView
from saltant.server.web.views.schedules import EditScheduleView, NewScheduleView, SchedulesView, TimesView
from saltant.server.web.views.session import SignInView
from saltant.server.web.views.tokens import NewTokenView, RevokeTokenView, TokensView
from saltant.server.web.views.type import TypeView
from saltant.server.web.views.type_add import AddTypeView
from saltant.server.web.views.type_form import EditTypeView, NewTypeView
from saltant.server.web.views.type_history import HistoryView, RevisionView
from saltant.server.web.views.types import TypesView
from saltant.server.web.views.user import EditUserView, KeepUserView, UserPasswordView, UserView
from saltant.server.web.views.users import NewUserView, UsersView
from saltant.server.web.views.whitelist import WhitelistView
from saltant.server.web.views.whitelists import EditWhitelistView, NewWhitelistView, WhitelistsView
from saltant.server.web.views.workers import DrainWorkerView, WorkersView, WorkerView

UUID = "(?P<name>[^/]+)"


def page(route: str, view: type[Any], name: str) -> URLPattern:
    """A path, with and without its trailing slash."""
    pattern: URLPattern = re_path(f"^{route}/?$", view.as_view(), name=name)
    return pattern


urlpatterns = [
    re_path("^$", HomeView.as_view(), name="home"),
    page("login", SignInView, "login"),
    page("api/docs", ReferenceView, "reference"),
    page("logout", LogoutView, "logout"),
    page("instances", InstancesView, "instances"),
    # Before those of one instance: these are no UUIDs.
    page("instances/act", ActView, "instances-act"),
    page("instances/run", RunView, "run"),
    page(f"instances/{UUID}", InstanceView, "instance"),
    page(f"instances/{UUID}/results/(?P<file>.+?)", ResultView, "result"),
    page(f"instances/{UUID}/image/(?P<file>.+?)", ResultImageView, "result-image"),
    page("types", TypesView, "types"),
    # Before those of one type: this is no id.
    page("types/new", NewTypeView, "type-new"),
    page(f"types/{UUID}", TypeView, "type"),
    page(f"types/{UUID}/edit", EditTypeView, "type-edit"),
    page(f"types/{UUID}/keep", KeepTypeView, "type-keep"),
    page(f"types/{UUID}/add", AddTypeView, "type-add"),
    page(f"types/{UUID}/history", HistoryView, "type-history"),
    page(f"types/{UUID}/history/(?P<number>[^/]+)", RevisionView, "type-revision"),
    page("queues", QueuesView, "queues"),
    page("queues/new", NewQueueView, "queue-new"),
    page(f"queues/{UUID}", QueueView, "queue"),
    page(f"queues/{UUID}/edit", EditQueueView, "queue-edit"),
    page(f"queues/{UUID}/keep", KeepQueueView, "queue-keep"),
    page("workers", WorkersView, "workers"),
    page(f"workers/{UUID}", WorkerView, "worker"),
    page(f"workers/{UUID}/drain", DrainWorkerView, "drain-worker"),
    page("schedules", SchedulesView, "schedules"),
    page("schedules/new", NewScheduleView, "schedule-new"),
    page("schedules/times", TimesView, "schedule-times-part"),
    page(f"schedules/{UUID}", ScheduleView, "schedule"),
    page(f"schedules/{UUID}/edit", EditScheduleView, "schedule-edit"),
    page("whitelists", WhitelistsView, "whitelists"),
    page("whitelists/new", NewWhitelistView, "whitelist-new"),
    page(f"whitelists/{UUID}", WhitelistView, "whitelist"),
    page(f"whitelists/{UUID}/edit", EditWhitelistView, "whitelist-edit"),
    page(f"whitelists/{UUID}/keep", KeepWhitelistView, "whitelist-keep"),
    page("profile", ProfileView, "profile"),
    page("profile/password", PasswordView, "password"),
    page("tokens", TokensView, "tokens"),
    page("tokens/new", NewTokenView, "token-new"),
    page(f"tokens/{UUID}/revoke", RevokeTokenView, "token-revoke"),
    page("users", UsersView, "users"),
    # Before those of one user: this is no id.
    page("users/new", NewUserView, "user-new"),
    page(f"users/{UUID}", UserView, "user"),
    page(f"users/{UUID}/edit", EditUserView, "user-edit"),
    page(f"users/{UUID}/password", UserPasswordView, "user-password"),
    page(f"users/{UUID}/keep", KeepUserView, "user-keep"),
    page("audit", AuditView, "audit"),
]
