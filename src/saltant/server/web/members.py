"""What stands on whitelists, changed as the API changes it."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.http import HttpRequest

from saltant.server.api import views as api
from saltant.server.api.permissions import check_owner
from saltant.server.api.resources import WHITELISTS
from saltant.server.tasks.models import TaskType, TaskWhitelist

MOST = 1000
"""Types of one form."""


def ids(names: Iterable[str]) -> list[int]:
    """Those texts that are ids."""
    return [int(each) for each in list(names)[:MOST] if each.isascii() and each.isdigit() and len(each) < 19]


def change_members(request: HttpRequest, whitelist: str, types: Iterable[int], *, adds: bool) -> TaskWhitelist:
    """Add types to a whitelist, or take them off it.

    Raises:
        NotFound: there is no such whitelist.
        PermissionDenied: it is not theirs.
        ValidationError: one of them cannot be added.
    """
    call: Any = request
    with transaction.atomic():
        found: TaskWhitelist = WHITELISTS.get(whitelist, lock=True)
        check_owner(call, found)
        view = api.MembersView()
        view.adds = adds
        view.change(call, found, set(TaskType.objects.filter(pk__in=list(types))))
    return found
