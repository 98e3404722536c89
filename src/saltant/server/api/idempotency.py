"""Requests that may come again: whoever did not get the answer sends the same request with the same key.

The key is written with the answer, in the transaction of the work and as its last step, so that others wait no longer
than without it. Of two that come at once the second waits there until the first is committed, is undone, and gets the
first's answer. Of a request that failed nothing is kept.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any

from django.db import connection
from django.http import Http404, HttpResponse, RawPostDataException
from django.utils import timezone
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request

from saltant.server.accounts.models import User
from saltant.server.api.errors import json_error
from saltant.server.tasks.models import KeptAnswer

HEADER = "Idempotency-Key"
REPEATED = "Idempotent-Replayed"
SANE = re.compile(r"[!-~]{1,200}\Z")
LONGEST = 64 * 1024
"""Characters of an answer that is kept. Of what is longer, the thing that was made is shown as it is by then."""
MANY = "*"
"""Stands for the thing where several were made. Their view keeps by which it finds them again."""

TABLE = KeptAnswer._meta.db_table
KEEP = f"""
    INSERT INTO {TABLE} (user_id, key, request, status, body, thing, datetime_created)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (user_id, key) DO NOTHING RETURNING id
"""  # noqa: S608 - the table's name is ours

Post = Callable[..., HttpResponse]


class _Late(Exception):
    """Another request with the key was quicker: what this one did is to be undone."""


def answered_once(post: Post) -> Post:
    """A resource's view of POST that heeds the header. In the transaction of its work it calls `view.keep`."""

    @wraps(post)
    def wrapped(view: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        key = request.META.get("HTTP_IDEMPOTENCY_KEY")
        if key is None:
            return post(view, request, *args, **kwargs)
        if not SANE.match(key):
            raise ValidationError({HEADER: ["Must be 1 to 200 printable ASCII characters without spaces."]})
        user: Any = request.user
        keeper = _Keeper(user, key, _digest(request), view.resource.lookup)
        show = partial(view.made_anew, request.version)
        view.keep = keeper.keep
        # Most keys are new, so the work comes first: if the key turns out not to be, it is undone.
        kept = None
        while kept is None:
            try:
                return post(view, request, *args, **kwargs)
            except _Late:
                kept = keeper.find()
            except (APIException, Http404):
                kept = keeper.find()  # the first one may have taken the name, or have been allowed by then
                if kept is None:
                    raise
        return _again(kept, keeper.digest, show)

    return wrapped


@dataclass(frozen=True)
class _Keeper:
    """Keeps the answer to one request.

    Attributes:
        digest: what tells the request from others.
        lookup: the key of an answer that names what was made.
    """

    user: User
    key: str
    digest: str
    lookup: str

    def find(self) -> KeptAnswer | None:
        """What was answered already."""
        return KeptAnswer.objects.filter(user=self.user, key=self.key).first()

    def keep(self, body: str, status: int, essence: str = "") -> None:
        """Keep an answer, in the transaction of what it tells. Waits while another works with the same key.

        `essence` is what is kept of a long answer about several things.

        Raises:
            _Late: that one was quicker.
        """
        is_long = len(body) > LONGEST
        thing = (MANY if essence else str(json.loads(body)[self.lookup])) if is_long else ""
        now = connection.ops.adapt_datetimefield_value(timezone.now())
        values: list[Any] = [self.user.pk, self.key, self.digest, status, essence if is_long else body, thing, now]
        with connection.cursor() as cursor:
            cursor.execute(KEEP, values)
            if cursor.fetchone() is None:
                raise _Late


def _again(kept: KeptAnswer, digest: str, show: Callable[[str, str], str]) -> HttpResponse:
    if kept.request != digest:
        return json_error(422, f"This {HEADER} was used for another request: use a new one for each.")
    body = show(kept.thing, kept.body) if kept.thing else kept.body
    headers = {REPEATED: "true"}
    return HttpResponse(body.encode(), content_type="application/json", status=kept.status, headers=headers)


def _digest(request: Request) -> str:
    """What two requests that are the same have in common."""
    raw: Any = request._request
    try:
        body = raw.body
    except RawPostDataException:
        # A multipart form that Django has read already, looking for a CSRF token.
        body = repr(sorted(raw.POST.lists())).encode("utf-8", "surrogatepass")
    said = (request.method or "", raw.path_info.rstrip("/"), request.version or "", raw.META.get("CONTENT_TYPE", ""))
    found = hashlib.sha256("\0".join(said).encode("utf-8", "surrogatepass"))
    found.update(b"\0" + body)
    return found.hexdigest()
