"""One result: its beginning on a page, or an image's bytes."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from rest_framework.exceptions import NotFound

from saltant.files import CannotKeep, safe_name
from saltant.server.api.permissions import check_may_read
from saltant.server.files.keys import result_key
from saltant.server.files.models import ResultFile
from saltant.server.files.stores import Missing, store
from saltant.server.tasks.models import TaskInstance
from saltant.server.web import previews
from saltant.server.web.instances import EITHER, one
from saltant.server.web.views.base import Page

SANDBOX = "default-src 'none'; sandbox"


class Result(Page):
    """What both views share."""

    place = "instances"

    def find(self) -> tuple[TaskInstance, ResultFile]:
        """The instance and the file that the path names, of its current attempt."""
        instance: TaskInstance = EITHER.get(self.kwargs["name"])
        request: Any = self.request
        check_may_read(request, instance)
        file = self.kwargs["file"]
        rows = ResultFile.objects.filter(attempt__instance=instance.pk, attempt__number=instance.attempt, name=file)
        row = rows.first() if safe_name(file) else None
        if row is None or not row.is_complete:
            raise NotFound
        return instance, row

    def begin_of(self, instance: TaskInstance, row: ResultFile, most: int) -> bytes:
        """The first bytes of a file."""
        end = min(row.size, most)
        try:
            return b"".join(store().read(result_key(instance.uuid, instance.attempt, row.pk), 0, end)) if end else b""
        except (Missing, CannotKeep):
            raise Http404 from None


class ResultView(Result):
    """A page that shows what it can of a result."""

    template_name = "web/instances/result.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        instance, row = self.find()
        kind = previews.kind_of(row.name)
        shown: dict[str, Any] = {}
        if kind == "image":
            shown["too_large"] = row.size > previews.LARGEST_IMAGE
        elif kind:
            is_cut = row.size > previews.MOST_TEXT
            text = self.begin_of(instance, row, previews.MOST_TEXT).decode("utf-8", "replace")
            shown["is_cut"] = is_cut
            if kind == "table":
                shown["table"] = previews.table_of(row.name, text, is_cut=is_cut)
            else:
                shown["text"] = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
        body = one(kwargs["name"])
        api = f"/api/{body['task_class']}taskinstances/{body['uuid']}"
        return super().get_context_data(body=body, row=row, kind=kind, api=api, **shown, **kwargs)


class ResultImageView(Result):
    """The bytes of an image: nothing else of a job's is ever sent as anything that a browser would act on."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        instance, row = self.find()
        if row.size > previews.LARGEST_IMAGE:
            raise NotFound
        data = self.begin_of(instance, row, previews.LARGEST_IMAGE)
        media_type = previews.media_type(row.name, data)
        if media_type is None:
            raise NotFound
        headers = {
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": SANDBOX,
            "Cache-Control": "private, no-cache",
        }
        return HttpResponse(data, content_type=media_type, headers=headers)
