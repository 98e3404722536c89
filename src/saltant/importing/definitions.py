"""Makes here what a plan says is new: all of it, or nothing."""

from typing import Any

from django.db import transaction

from saltant.importing.plan import KINDS, Item, Plan, Verdict
from saltant.models._encoding import parse_datetime
from saltant.server.accounts import people
from saltant.server.accounts.models import User
from saltant.server.api.resources import WHITELISTS
from saltant.server.audit.log import record
from saltant.server.audit.models import Action
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskType, TaskWhitelist


def make(plan: Plan, url: str, by: str) -> None:
    """Make what is new, in one transaction. `by` is who does it, for the audit log."""
    with transaction.atomic():
        users = {user.username: user for user in User.objects.all()}
        for item in plan.items:
            if item.verdict is Verdict.NEW:
                if item.kind.path == "users":
                    user = people.create_user(item.name, email=item.said.get("email") or "", by=by)
                    users[user.username] = user
                else:
                    _make(item, users.get(item.said["user"] or ""), url, by)


def _make(item: Item, owner: User | None, url: str, by: str) -> None:
    held = {key: _ids(path, item.said[key]) for key, path in item.kind.lists.items()}
    # A whitelist gets its types below: also those that are archived here, which nobody could put on it.
    lists = {key: [] for key in held} if item.kind.resource is WHITELISTS else held
    data: dict[str, Any] = {**item.said, "name": item.name, **lists}
    serializer = item.kind.resource.serializer("1")(data=data)
    serializer.is_valid(raise_exception=True)
    thing = serializer.save(user=owner)
    if isinstance(thing, TaskWhitelist):
        thing.task_types.set([each for ids in held.values() for each in ids])
    record(by, Action.CREATE, thing, {"imported_from": url})
    if isinstance(thing, TaskType):
        created = _moment(item.said.get("datetime_created"))
        if created is not None:
            thing.datetime_created = created
            thing.save(update_fields=["datetime_created"])
        services.add_revision(thing, by)


def _ids(path: str, names: list[str]) -> list[int]:
    kind = next(each for each in KINDS if each.path == path)
    return list(kind.resource.all().filter(name__in=names).values_list("pk", flat=True))


def _moment(text: Any) -> Any:
    try:
        return parse_datetime(text)
    except (TypeError, ValueError):
        return None
