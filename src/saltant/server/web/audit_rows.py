"""Entries of the audit log, as a page shows them: what changed, and where what they are about can be looked at."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.urls import NoReverseMatch, reverse

from saltant.server.accounts.models import Token, User
from saltant.server.audit.models import Action, AuditEntry
from saltant.server.tasks.models import TaskInstance, TaskQueue, TaskType, TaskWhitelist, Worker
from saltant.server.tasks.schedule_models import Schedule
from saltant.server.web.diffs import changes_of

KINDS: Mapping[str, tuple[type[Model], str]] = {
    str(model._meta.verbose_name): (model, path)
    for model, path in (
        (TaskInstance, "instance"),
        (TaskType, "type"),
        (TaskWhitelist, "whitelist"),
        (TaskQueue, "queue"),
        (Worker, "worker"),
        (Schedule, "schedule"),
        (User, "user"),
        (Token, "user"),
    )
}
"""What the log knows, and the name of the path of its page: a token's is that of whose it is."""
NAMED_LISTS = frozenset({"added", "removed", "queues", "taken_off", "uuids"})
"""Details that are lists of names, and no pair of old and new."""
DIFFERENCES = frozenset({Action.UPDATE.value, Action.RESTORE.value})


def dressed(entries: Iterable[AuditEntry]) -> list[dict[str, Any]]:
    """Entries with their details and links."""
    found = list(entries)
    links = links_of(found)
    return [
        {"entry": each, "link": links.get((each.object_kind, each.object_id), ""), **details_of(each)} for each in found
    ]


def details_of(entry: AuditEntry) -> dict[str, Any]:
    """What an entry tells: changes from old to new, and facts; and in a few words how much that is."""
    details: dict[str, Any] = entry.details if isinstance(entry.details, dict) else {}
    is_change = {
        name: entry.action in DIFFERENCES and isinstance(value, list) and len(value) == 2 and name not in NAMED_LISTS
        for name, value in details.items()
    }
    pairs = {name: value for name, value in details.items() if is_change[name]}
    facts = {name: value for name, value in details.items() if not is_change[name] and value not in (None, "", [])}
    titles = ", ".join(name.replace("_", " ") for name in (*pairs, *facts))
    return {
        "changes": changes_of(pairs),
        "facts": [(name.replace("_", " "), value) for name, value in facts.items()],
        "summary": titles if len(titles) <= 60 else f"{titles[:59]}…",
    }


def links_of(entries: Iterable[AuditEntry]) -> dict[tuple[str, str], str]:
    """The pages of what still exists, by kind and id: one query for each kind."""
    ids: dict[str, set[str]] = {}
    for each in entries:
        if each.object_kind in KINDS:
            ids.setdefault(each.object_kind, set()).add(each.object_id)
    found = {}
    for kind, names in ids.items():
        model, path = KINDS[kind]
        for name, key in there(model, names):
            try:
                found[kind, name] = reverse(path, args=[key])
            except NoReverseMatch:  # it has no page
                break
    return found


def there(model: type[Model], names: set[str]) -> list[tuple[str, Any]]:
    """Of some ids those that exist, each with what its page is found by."""
    rows = model._default_manager.order_by()
    if model is TaskInstance:
        uuids = [found for each in names if (found := _uuid(each)) is not None]
        return [(str(each), each) for each in rows.filter(uuid__in=uuids).values_list("uuid", flat=True)]
    keys = [int(each) for each in names if each.isascii() and each.isdigit() and len(each) < 19]
    by = {Token: "user_id", Worker: "name"}.get(model, "pk")
    return [(str(pk), key) for pk, key in rows.filter(pk__in=keys).values_list("pk", by)]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
