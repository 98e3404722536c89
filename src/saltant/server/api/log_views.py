"""The views of logs."""

import json

from django.http import HttpResponse, HttpResponseBase
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from saltant.files import STREAMS, CannotKeep, safe_name
from saltant.server.api.attempt_files import FilesView, has_ended, number_in
from saltant.server.api.downloads import GONE, Unavailable, answer, download
from saltant.server.api.views import json_response
from saltant.server.files.keys import log_key
from saltant.server.files.models import LogFile
from saltant.server.files.stores import Missing
from saltant.server.files.tails import start_of_tail

TEXT = "text/plain; charset=utf-8"


class LogsView(FilesView):
    """GET of which logs there are."""

    def get(self, request: Request, name: str) -> HttpResponse:
        _, number, attempt = self.find(request, name)
        rows = LogFile.objects.filter(attempt=attempt).order_by("name") if attempt else []
        said = [{"attempt": number, "name": row.name, "size": row.size, "is_cut": row.is_cut} for row in rows]
        return json_response(json.dumps(said, ensure_ascii=False, separators=(",", ":")))


class LogView(FilesView):
    """GET of a log's bytes: all that there are by now, a range of them, or the last lines."""

    def get(self, request: Request, name: str, file: str) -> HttpResponseBase:
        # First whether it has ended, then how much there is: the other way round, something could come between.
        instance, number, attempt = self.find(request, name)
        is_finished = has_ended(instance, attempt)
        row = LogFile.objects.filter(attempt=attempt, name=file).first() if attempt and safe_name(file) else None
        if row is None and file not in STREAMS:
            raise NotFound
        key = log_key(instance.uuid, number, row.pk) if row else None
        size = row.size if row else 0
        headers = {
            "Saltant-Log-Size": str(size),
            "Saltant-Attempt": str(number),
            "Saltant-Finished": "true" if is_finished else "false",
        }
        lines = number_in(request, "tail", 0)
        if lines is None:
            return download(request, key, size, content_type=TEXT, headers=headers)
        try:
            start = start_of_tail(key, size, lines) if key else 0
        except Missing:
            raise NotFound(GONE) from None
        except CannotKeep as error:
            raise Unavailable(str(error)) from None
        headers |= {"Saltant-Log-Offset": str(start), "X-Content-Type-Options": "nosniff"}
        return answer(request, key, start, size, content_type=TEXT, headers=headers)
