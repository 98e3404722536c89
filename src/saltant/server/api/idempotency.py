"""Requests that may come again: whoever did not get the answer sends the same request with the same key.

The key is written first, in the transaction of the work. So of two that come at once the second waits until the first
is committed, and gets its answer; and of a request that failed nothing is kept.
"""

import hashlib
import json
import re
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from django.db import connection, transaction
from django.http import HttpResponse, RawPostDataException
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from saltant.server.accounts.models import User
from saltant.server.api.errors import json_error
from saltant.server.tasks.models import KeptAnswer

HEADER = "Idempotency-Key"
REPEATED = "Idempotent-Replayed"
SANE = re.compile(r"[!-~]{1,200}\Z")
LONGEST = 64 * 1024
"""Characters of an answer that is kept. Of what is longer, the thing that was made is shown as it is by then."""

TABLE = KeptAnswer._meta.db_table
TAKE = f"""
    INSERT INTO {TABLE} (user_id, key, request, status, body, thing, datetime_created)
    VALUES (%s, %s, %s, 0, '', '', %s)
    ON CONFLICT (user_id, key) DO NOTHING RETURNING id
"""  # noqa: S608 - the table's name is ours

Show = Callable[[str], str]


def answered_once(post: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A resource's view of POST that heeds the header."""

    @wraps(post)
    def wrapped(view: Any, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        act = partial(post, view, request, *args, **kwargs)
        return once(request, view.resource.lookup, act, partial(view.resource.body, request.version))

    return wrapped


def once(request: Request, lookup: str, act: Callable[[], HttpResponse], show: Show) -> HttpResponse:
    """The answer of `act`, which a request with a key is for once alone.

    Args:
        lookup: the key of an answer that names what was made, for `show`.
        show: makes the body of what was made.
    """
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        return act()
    if not SANE.match(key):
        raise ValidationError({HEADER: ["Must be 1 to 200 printable ASCII characters without spaces."]})
    digest = _digest(request)
    user: Any = request.user
    request.data  # noqa: B018 - parse the body before the transaction: a large one must not hold up others
    while True:
        with transaction.atomic():
            taken = _take(user, key, digest)
            if taken is not None:
                response = act()
                _keep(taken, response, lookup)
                return response
        kept = KeptAnswer.objects.filter(user=user, key=key).first()
        if kept is not None:  # else its day was over just now
            return _again(kept, digest, show)


def _take(user: User, key: str, digest: str) -> int | None:
    """The id of the key's row, if it is new. Waits while another request works with the same key."""
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(TAKE, [user.pk, key, digest, now])
        row = cursor.fetchone()
    return None if row is None else int(row[0])


def _keep(pk: int, response: HttpResponse, lookup: str) -> None:
    body = response.content.decode()
    is_long = len(body) > LONGEST
    thing = str(json.loads(body)[lookup]) if is_long else ""
    KeptAnswer.objects.filter(pk=pk).update(status=response.status_code, body="" if is_long else body, thing=thing)


def _again(kept: KeptAnswer, digest: str, show: Show) -> HttpResponse:
    if kept.request != digest:
        return json_error(422, f"This {HEADER} was used for another request: use a new one for each.")
    body = show(kept.thing) if kept.thing else kept.body
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
