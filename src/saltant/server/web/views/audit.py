"""The audit log: who changed, ended or revoked what. For admins."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from rest_framework.exceptions import ValidationError

from saltant.server.api.cursors import Cursor
from saltant.server.api.ordering import Order
from saltant.server.audit.models import Action, AuditEntry
from saltant.server.tasks.arguments import text_flaw
from saltant.server.web import zones
from saltant.server.web.audit_rows import KINDS, dressed
from saltant.server.web.listing import Listing, query_of, said
from saltant.server.web.views.base import Page, messages_of

SIZE = 50
LONGEST = 200
ORDER = Order.of(AuditEntry, "-datetime")


class Wrong(Exception):
    """A parameter says what cannot be. The message says why."""


class AuditView(Page):
    """The log, the newest first."""

    template_name = "web/audit/list.html"
    place = "audit"
    for_admins = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        query, page = said(self.request), page_of(self.request)
        return super().get_context_data(
            page=page,
            rows=dressed(page.rows),  # type: ignore[arg-type]
            errors=page.errors,
            chosen=query.dict(),
            actions=[(each.value, words_of(each)) for each in Action],
            kinds=sorted(KINDS),
            zone=zones.name(),
            is_filtered=bool(page.filters),
            is_beyond="cursor" in query,
            **kwargs,
        )

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        return super().render_to_response(context, status=400 if context["errors"] else 200, **kwargs)


def words_of(action: Action) -> str:
    """An action as people say it."""
    return action.value.replace("_", " ")


def page_of(request: HttpRequest) -> Listing:
    """The entries that a request asks for."""
    query = said(request)
    filters = [(name, each) for name, values in query.lists() if name != "cursor" for each in values]
    rows, errors = AuditEntry.objects.all(), []
    for name, text in filters:
        try:
            if name not in FILTERS:
                raise Wrong(f"The audit log is not filtered by {name[:50]}: take {', '.join(FILTERS)}.")
            rows = FILTERS[name](rows, text)
        except Wrong as wrong:
            errors.append(str(wrong))
    try:
        cursor = Cursor.read(query.get("cursor", ""), ORDER)
    except ValidationError as error:
        errors += messages_of(error.detail)
    if errors:
        return Listing(filters=filters, errors=errors)
    if cursor.key is not None:
        rows = rows.filter(ORDER.beyond(cursor.key, backwards=cursor.backwards))
    with planned_anew():
        found = list(rows.order_by(*ORDER.expressions(backwards=cursor.backwards))[: SIZE + 1])
    more, found = len(found) > SIZE, found[:SIZE]
    if cursor.backwards:
        found.reverse()
    here: Any = request
    after, before = cursor.links(here, ORDER, [(each.datetime, each.pk) for each in found], more=more)
    return Listing(rows=found, next=query_of(after), previous=query_of(before), filters=filters)  # type: ignore[arg-type]


@contextmanager
def planned_anew() -> Iterator[None]:
    """Have PostgreSQL plan for the values that are asked for: who did much is found otherwise than who did nothing."""
    if connection.vendor != "postgresql":
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('plan_cache_mode', 'force_custom_plan', true)")
        yield


Rows = QuerySet[AuditEntry]


def _text(text: str) -> str:
    if len(text) > LONGEST or text_flaw(text):
        raise Wrong(f"Search for a text of {LONGEST} characters at most.")
    return text.strip()


def _one_of(column: str, known: Mapping[str, Any]) -> Callable[[Rows, str], Rows]:
    def narrowed(rows: Rows, text: str) -> Rows:
        if text not in known:
            raise Wrong(f"There is no such {column.removeprefix('object_')}: take {', '.join(known)}.")
        return rows.filter(**{column: text})

    return narrowed


def _moment(lookup: str) -> Callable[[Rows, str], Rows]:
    def narrowed(rows: Rows, text: str) -> Rows:
        try:
            moment = datetime.fromisoformat(text)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=zones.chosen() or UTC)
            return rows.filter(**{lookup: moment.astimezone(UTC)})
        except (ValueError, OverflowError):
            raise Wrong("Write a date, or a date and a time, such as 2027-01-31T12:00.") from None

    return narrowed


def _object(rows: Rows, text: str) -> Rows:
    wanted = _text(text)
    return rows.filter(Q(object_name=wanted) | Q(object_id=wanted))


FILTERS: Mapping[str, Callable[[Rows, str], Rows]] = {
    "actor": lambda rows, text: rows.filter(actor=_text(text)),
    "action": _one_of("action", dict.fromkeys(Action.values)),
    "kind": _one_of("object_kind", KINDS),
    "object": _object,
    "from": _moment("datetime__gte"),
    "before": _moment("datetime__lt"),
}
"""What the log is filtered by: whole names, which indexes find in a log of any length."""
