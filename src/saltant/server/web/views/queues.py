"""Queues: the list, and making and changing one."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from rest_framework.exceptions import ValidationError

from saltant.server.api import views as api
from saltant.server.api.permissions import check_owner
from saltant.server.api.resources import QUEUES
from saltant.server.tasks.models import TaskQueue
from saltant.server.web import forms
from saltant.server.web.copies import TEACH_QUEUE, a_worker, root_of
from saltant.server.web.listing import listing
from saltant.server.web.members import ids
from saltant.server.web.queues import dressed, offered_whitelists
from saltant.server.web.type_resource import in_use
from saltant.server.web.views.base import Page

ALSO = frozenset({"q", "show"})
OWN = ("user__username", "archived")
ORDERS = (("", "by name"), ("-id", "newest first"))
ENTRIES = (
    forms.Entry("name", "Name", required=True, example="gpu", help="Unique; letters, digits, _, @, + and -."),
    forms.Entry("description", "Description", "area", "Which machines these are, and who may use them."),
    forms.Entry("max_running", "Runs at most", "number", "Instances at once, on all of its machines together."),
)
KINDS = (
    forms.Entry("runs_executable_tasks", "Executables", "check"),
    forms.Entry("runs_docker_container_tasks", "Containers of Docker", "check"),
    forms.Entry("runs_singularity_container_tasks", "Containers of Singularity", "check"),
)
PRIVATE = forms.Entry(
    "private",
    "Private",
    "check",
    "Only you, and admins, may put anything on it; logs and results are for you, the instance's owner and admins.",
)
EVERY = (*ENTRIES, *KINDS, PRIVATE)


class QueuesView(Page):
    """All queues that are in use, or those that the address asks for."""

    template_name = "web/queues/list.html"
    part_name = "web/queues/list_part.html"
    place = "queues"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        page = listing(self.request, QUEUES, narrow=in_use, also=ALSO, order="name")
        chosen = dict(self.request.GET.items())
        return super().get_context_data(
            page=page,
            rows=dressed(page.rows),
            errors=page.errors,
            chosen=chosen,
            kept=[pair for pair in page.filters if pair[0] not in OWN],
            orders=ORDERS,
            teach=TEACH_QUEUE,
            teach_worker=a_worker("gpu", root_of(self.request)),
            is_filtered=bool(page.filters or chosen.get("q") or chosen.get("show")),
            **kwargs,
        )

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        status = 400 if context["errors"] and not self.request.headers.get("HX-Request") else 200
        return super().render_to_response(context, status=status, **kwargs)


class NewQueueView(Page):
    """GET of an empty form; POST makes a queue."""

    template_name = "web/queues/form.html"
    place = "queues"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The form, with every kind of task ticked."""
        values = {each.name: "true" if each in KINDS else "" for each in EVERY}
        return self.form(None, values, [])

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Make it, or say what is wrong."""
        return self.saved(None)

    def saved(self, name: str | None) -> HttpResponseBase:
        """Save what was sent."""
        values, picked = forms.sent(EVERY, self.request.POST), ids(self.request.POST.getlist("whitelists"))
        queue: TaskQueue | None = None
        try:
            with transaction.atomic():
                if name is not None:
                    queue = QUEUES.get(name, lock=True)
                    check_owner(self.request, queue)  # type: ignore[arg-type]
                said = save_queue(self.request, queue, values, picked)
        except ValidationError as error:
            return self.form(None if name is None else QUEUES.get(name), values, picked, error.detail)
        messages.success(self.request, f"The queue {said.name} is there." if queue is None else "Saved.")
        return HttpResponseRedirect(reverse("queue", args=[said.pk]))

    def form(
        self, queue: TaskQueue | None, values: dict[str, str], picked: list[int], detail: Any = None
    ) -> HttpResponse:
        """The form, with what is wrong."""
        of_fields, errors = forms.sorted_out(detail or {}, [*values, "whitelists"])
        context = self.get_context_data(
            queue=queue,
            fields=forms.filled(ENTRIES, values, of_fields),
            kinds=forms.filled(KINDS, values, of_fields),
            private=forms.filled([PRIVATE], values, of_fields)[0],
            whitelists=[(each, each.pk in picked) for each in offered_whitelists(queue)],
            whitelist_errors=of_fields.get("whitelists", ()),
            errors=errors,
        )
        return self.render_to_response(context, status=400 if detail else 200)


class EditQueueView(NewQueueView):
    """GET of the form of a queue; POST changes it."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        queue: TaskQueue = QUEUES.get(kwargs["name"])
        check_owner(request, queue)  # type: ignore[arg-type]
        values = {each.name: forms.shown(each, getattr(queue, each.name)) for each in EVERY}
        return self.form(queue, values, list(queue.whitelists.values_list("pk", flat=True)))

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Change it, or say what is wrong."""
        return self.saved(kwargs["name"])


def save_queue(request: Any, queue: TaskQueue | None, values: dict[str, str], picked: list[int]) -> TaskQueue:
    """Make or change a queue as the API does.

    Raises:
        ValidationError: something is wrong.
    """
    serializer = QUEUES.serializer("2")(queue, data={}, context={"user": request.user}, partial=queue is not None)
    serializer.initial_data = forms.read(EVERY, values, serializer) | {"whitelists": picked}
    saved: TaskQueue = (api.ListCreateView() if queue is None else api.ChangeView()).save(request, serializer)
    return saved
