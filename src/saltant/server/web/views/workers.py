"""Workers: the list, one of them, and having one take nothing new."""

import json
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.urls import reverse

from saltant.server.api.permissions import check_owner
from saltant.server.api.resources import WORKERS
from saltant.server.api.worker_views import DrainView
from saltant.server.tasks.models import Worker
from saltant.server.tasks.worker_state import WorkerState
from saltant.server.web.copies import a_worker, root_of
from saltant.server.web.instances import EITHER
from saltant.server.web.instances import dressed as dressed_instances
from saltant.server.web.listing import listing
from saltant.server.web.views.base import Page
from saltant.server.web.views.instance import allowed
from saltant.server.web.workers import dressed

OWN = ("state", "queue")
ORDERS = (("", "by name"), ("host", "by host"), ("-datetime_announced", "started last first"))
MOST = 200
"""Instances that are shown of one worker."""
GONE = (WorkerState.STOPPED, WorkerState.LOST)


class WorkersView(Page):
    """All workers that have not said goodbye, or those that the address asks for."""

    template_name = "web/workers/list.html"
    part_name = "web/workers/list_part.html"
    place = "workers"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        page = listing(self.request, WORKERS, narrow=here)
        return super().get_context_data(
            page=page,
            rows=dressed(page.rows),
            errors=page.errors,
            chosen=dict(self.request.GET.items()),
            kept=[pair for pair in page.filters if pair[0] not in OWN],
            states=list(WorkerState),
            orders=ORDERS,
            teach=a_worker("default", root_of(self.request)),
            is_filtered=bool(page.filters),
            **kwargs,
        )

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        status = 400 if context["errors"] and not self.request.headers.get("HX-Request") else 200
        return super().render_to_response(context, status=status, **kwargs)


def here(rows: "QuerySet[Any]", query: QueryDict) -> "QuerySet[Any]":
    """Those that did not say goodbye, unless the query asks for a state."""
    return rows if "state" in query else rows.filter(datetime_left=None)


class WorkerView(Page):
    """All about one worker."""

    template_name = "web/workers/one.html"
    part_name = "web/workers/one_part.html"
    place = "workers"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(WORKERS.body("2", kwargs["name"]))
        worker: Worker = WORKERS.get(kwargs["name"])
        representation = EITHER.representation("2")
        held = EITHER.all().filter(uuid__in=[each["uuid"] for each in body["running"][:MOST]])
        rows = representation.encode(representation.rows(held, EITHER.ordered("")))
        return super().get_context_data(
            body=dressed([body])[0],
            running=dressed_instances([json.loads(each) for each in rows]),
            may_drain=worker_takes(body) and allowed(check_owner, self.request, worker),  # type: ignore[arg-type]
            **kwargs,
        )


def worker_takes(body: dict[str, Any]) -> bool:
    """Whether there is any sense in having it take nothing new."""
    return bool(body["state"] == WorkerState.ONLINE)


class DrainWorkerView(Page):
    """POST asks whether it is meant; with `confirmed` the worker takes nothing new."""

    template_name = "web/workers/drain.html"
    place = "workers"
    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Ask, or do."""
        name, call = kwargs["name"], request
        worker: Worker = WORKERS.get(name)
        check_owner(call, worker)  # type: ignore[arg-type]
        body: dict[str, Any] = json.loads(WORKERS.body("2", name))
        if not request.POST.get("confirmed"):
            return self.render_to_response(self.get_context_data(body=body, is_gone=body["state"] in GONE, **kwargs))
        view: Any = DrainView(resource=WORKERS)
        view.drain(request, name)
        if body["state"] == WorkerState.STOPPED:
            messages.warning(request, f"{name} has stopped already: nothing was asked of it.")
        else:
            messages.success(request, f"{name} takes nothing new from its next heartbeat on.")
        return HttpResponseRedirect(reverse("worker", args=[name]))
