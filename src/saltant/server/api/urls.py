"""The API's paths. Each works with and without its trailing slash."""

from typing import Any

from django.urls import URLPattern, re_path

from saltant.server.api import file_endpoints, resources, worker_endpoints
from saltant.server.api.after_views import AfterView, DependentsView
from saltant.server.api.archive_views import KeptTypeView, KeptView, UseView
from saltant.server.api.event_views import EventsView
from saltant.server.api.instance_views import AttemptsView, CloneView, InstanceListView, StateView, TerminateView
from saltant.server.api.log_views import LogsView, LogView
from saltant.server.api.many_views import ManyCloneView, ManyCreateView, ManyTerminateView
from saltant.server.api.matching_views import CountsView
from saltant.server.api.openapi.document import SchemaView
from saltant.server.api.own_token_views import OwnTokensView, OwnTokenView
from saltant.server.api.result_views import ArchiveView, ResultsView, ResultView
from saltant.server.api.revision_views import DiffView, OneRevisionView, RestoreView, RevisionsView
from saltant.server.api.schedule_views import INSTANCES as MADE
from saltant.server.api.schedule_views import RunView, ScheduleView, TimesView
from saltant.server.api.token_views import RefreshView, SignInView
from saltant.server.api.user_views import MeView, UserView
from saltant.server.api.views import DetailView, ListCreateView, ListView, MembersView, TypeListView
from saltant.server.api.wait_views import InstanceView, WaitView
from saltant.server.api.worker_views import DrainView
from saltant.server.tasks.models import TaskClass

# What may stand here and is no id of anything is the view's to say: as in any path, 401 comes before 404.
NAME = "(?P<name>[^/]+)"
FILE = "(?P<file>.+?)"


def _path(route: str, view: type[Any], name: str, **options: Any) -> URLPattern:
    pattern: URLPattern = re_path(f"^{route}/?$", view.as_view(**options), name=name)
    return pattern


def _resource(path: str, name: str, resource: resources.Resource, list_: type[Any], detail: type[Any]) -> list[Any]:
    return [
        _path(path, list_, f"{name}-list", resource=resource),
        _path(f"{path}/{NAME}", detail, f"{name}-detail", resource=resource),
    ]


def _instances(task_class: TaskClass) -> list[Any]:
    path, name, resource = f"{task_class}taskinstances", f"{task_class}-instance", resources.INSTANCES[task_class]
    return [
        # Before those of one instance: these are no UUIDs.
        _path(f"{path}/many", ManyCreateView, f"{name}-many", resource=resource),
        _path(f"{path}/clone", ManyCloneView, f"{name}-clone-many", resource=resource),
        _path(f"{path}/terminate", ManyTerminateView, f"{name}-terminate-many", resource=resource),
        _path(f"{path}/counts", CountsView, f"{name}-counts", resource=resource),
        *_resource(path, name, resource, InstanceListView, InstanceView),
        _path(f"{path}/{NAME}/after", AfterView, f"{name}-after", resource=resource),
        _path(f"{path}/{NAME}/attempts", AttemptsView, f"{name}-attempts", resource=resource),
        _path(f"{path}/{NAME}/clone", CloneView, f"{name}-clone", resource=resource),
        _path(f"{path}/{NAME}/dependents", DependentsView, f"{name}-dependents", resource=resource),
        _path(f"{path}/{NAME}/logs", LogsView, f"{name}-logs", resource=resource),
        _path(f"{path}/{NAME}/logs/{FILE}", LogView, f"{name}-log", resource=resource),
        _path(f"{path}/{NAME}/results", ResultsView, f"{name}-results", resource=resource),
        _path(f"{path}/{NAME}/results/{FILE}", ResultView, f"{name}-result", resource=resource),
        _path(f"{path}/{NAME}/results.zip", ArchiveView, f"{name}-results-zip", resource=resource, kind="zip"),
        _path(f"{path}/{NAME}/results.tar", ArchiveView, f"{name}-results-tar", resource=resource, kind="tar"),
        _path(f"{path}/{NAME}/terminate", TerminateView, f"{name}-terminate", resource=resource),
    ]


def _types(task_class: TaskClass) -> list[Any]:
    resource = resources.TYPES[task_class]
    path, name = f"{task_class}tasktypes", f"{task_class}-type"
    one = f"{path}/{NAME}/revisions/(?P<number>[^/]+)"
    return [
        *_kept(path, name, resource, KeptTypeView, TypeListView),
        _path(f"{path}/{NAME}/revisions", RevisionsView, f"{name}-revisions", resource=resource),
        _path(one, OneRevisionView, f"{name}-revision", resource=resource),
        _path(f"{one}/diff", DiffView, f"{name}-diff", resource=resource),
        _path(f"{one}/restore", RestoreView, f"{name}-restore", resource=resource),
    ]


def _kept(
    path: str,
    name: str,
    resource: resources.Resource,
    detail: type[Any] = KeptView,
    list_: type[Any] = ListCreateView,
) -> list[Any]:
    """What can be archived, and deleted as long as it was never used."""
    return [
        *_resource(path, name, resource, list_, detail),
        _path(f"{path}/{NAME}/archive", UseView, f"{name}-archive", resource=resource, archives=True),
        _path(f"{path}/{NAME}/unarchive", UseView, f"{name}-unarchive", resource=resource, archives=False),
    ]


urlpatterns = [
    *_instances(TaskClass.EXECUTABLE),
    *_instances(TaskClass.CONTAINER),
    *_types(TaskClass.EXECUTABLE),
    *_types(TaskClass.CONTAINER),
    *_kept("taskqueues", "queue", resources.QUEUES),
    *_kept("taskwhitelists", "whitelist", resources.WHITELISTS),
    _path(f"taskwhitelists/{NAME}/add", MembersView, "whitelist-add", resource=resources.WHITELISTS, adds=True),
    _path(f"taskwhitelists/{NAME}/remove", MembersView, "whitelist-remove", resource=resources.WHITELISTS, adds=False),
    *_resource("schedules", "schedule", resources.SCHEDULES, ListCreateView, ScheduleView),
    _path(f"schedules/{NAME}/run", RunView, "schedule-run", resource=MADE),
    _path(f"schedules/{NAME}/times", TimesView, "schedule-times", resource=resources.SCHEDULES),
    *_resource("users", "user", resources.USERS, ListView, UserView),
    _path("me", MeView, "user-me", resource=resources.USERS),
    *_resource("workers", "worker", resources.WORKERS, ListView, DetailView),
    _path(f"workers/{NAME}/drain", DrainView, "worker-drain", resource=resources.WORKERS),
    _path(f"updatetaskinstancestatus/{NAME}", StateView, "state"),
    _path("wait", WaitView, "wait"),
    _path("events", EventsView, "events"),
    _path("token", SignInView, "token"),
    _path("token/refresh", RefreshView, "token-refresh"),
    _path("tokens", OwnTokensView, "own-tokens"),
    _path(f"tokens/{NAME}", OwnTokenView, "own-token"),
    _path("schema", SchemaView, "schema"),
    re_path("^worker/?$", worker_endpoints.greeting, name="control-greeting"),
    *(
        re_path(f"^worker/{act}/?$", getattr(worker_endpoints, act), name=f"control-{act}")
        for act in ("announce", "claim", "heartbeat", "finish", "exchange", "leave", "live")
    ),
    re_path("^worker/logs/?$", file_endpoints.logs, name="control-logs"),
    re_path("^worker/results/offer/?$", file_endpoints.offer, name="control-offer"),
    re_path("^worker/results/data/?$", file_endpoints.data, name="control-data"),
]
