"""The views of results."""

import json
from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from saltant.files import safe_name
from saltant.server.api.attempt_files import FilesView
from saltant.server.api.downloads import begin, download
from saltant.server.api.views import json_response
from saltant.server.files import archives
from saltant.server.files.keys import result_key
from saltant.server.files.models import RefusedResult, ResultFile
from saltant.server.tasks.models import TaskAttempt, TaskInstance

BYTES = "application/octet-stream"
ARCHIVES = {"zip": (archives.as_zip, "application/zip"), "tar": (archives.as_tar, "application/x-tar")}


class ResultsView(FilesView):
    """GET of which results there are, and which are not, and why."""

    def get(self, request: Request, name: str) -> HttpResponse:
        _, number, attempt = self.find(request, name)
        return json_response(json.dumps(results_of(number, attempt), ensure_ascii=False, separators=(",", ":")))


class ResultView(FilesView):
    """GET of one result."""

    def get(self, request: Request, name: str, file: str) -> HttpResponseBase:
        instance, number, attempt = self.find(request, name)
        row = ResultFile.objects.filter(attempt=attempt, name=file).first() if attempt and safe_name(file) else None
        if row is None or not row.is_complete:
            raise NotFound
        headers = {
            "Content-Disposition": content_disposition_header(True, row.name.rpartition("/")[2]) or "attachment",
            "Saltant-Attempt": str(number),
            "Saltant-SHA256": row.sha256,
        }
        key = result_key(instance.uuid, number, row.pk)
        return download(request, key, row.size, content_type=BYTES, etag=f'"{row.sha256}"', headers=headers)


class ArchiveView(FilesView):
    """GET of all results in one archive, made while it is sent."""

    kind = "zip"

    def get(self, request: Request, name: str) -> HttpResponseBase:
        instance, number, attempt = self.find(request, name)
        make, content_type = ARCHIVES[self.kind]
        headers = {
            "Content-Disposition": f'attachment; filename="results-{instance.uuid}.{self.kind}"',
            "Saltant-Attempt": str(number),
            "X-Content-Type-Options": "nosniff",
        }
        members = list(_members(instance, number, attempt)) if attempt else []
        if request.method == "HEAD":
            return HttpResponse(b"", content_type=content_type, headers=headers)
        return StreamingHttpResponse(begin(make(members)), content_type=content_type, headers=headers)


def results_of(number: int, attempt: TaskAttempt | None) -> list[dict[str, Any]]:
    """Which results an attempt left, and which are not there, and why."""
    return [] if attempt is None else [*_there(number, attempt), *_not_there(number, attempt)]


def _rows(attempt: TaskAttempt) -> list[ResultFile]:
    return list(ResultFile.objects.filter(attempt=attempt).order_by("name"))


def _there(number: int, attempt: TaskAttempt) -> Iterable[dict[str, Any]]:
    for row in _rows(attempt):
        why = None if row.is_complete else f"{row.uploaded} of its {row.size} bytes have arrived so far."
        yield {"name": row.name, "size": row.size, "sha256": row.sha256, "attempt": number, "why": why}


def _not_there(number: int, attempt: TaskAttempt) -> Iterable[dict[str, Any]]:
    for row in RefusedResult.objects.filter(attempt=attempt).order_by("name"):
        yield {"name": row.name, "size": None, "sha256": None, "attempt": number, "why": row.why}


def _members(instance: TaskInstance, number: int, attempt: TaskAttempt) -> Iterable[archives.Member]:
    made = attempt.datetime_finished or timezone.now()
    for row in _rows(attempt):
        if row.is_complete and safe_name(row.name):
            yield archives.Member(row.name, result_key(instance.uuid, number, row.pk), row.size, made)
