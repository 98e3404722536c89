"""Names where an id is wanted, and the beginnings of UUIDs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING, Any

from saltant.cli.failures import NOT_FOUND, USAGE, Failure
from saltant.exceptions import BadRequest, NotFound

if TYPE_CHECKING:
    from saltant.client import Client
    from saltant.models.base_task_instance import BaseTaskInstance, BaseTaskInstanceManager
    from saltant.models.base_task_type import BaseTaskType
    from saltant.models.resource import NamedModelManager
    from saltant.models.schedule import Schedule
    from saltant.models.task_queue import TaskQueue
    from saltant.models.task_whitelist import TaskWhitelist

CLASSES = ("executable", "container")
"""The classes of task types and instances. `container:NAME` says which is meant where a name is in both."""
SHORTEST = 4
"""The fewest digits of a UUID that are taken."""
LOOKED_AT = 2000
"""How many instances of a server that cannot look for beginnings are looked through, the newest."""
GROUPS = (8, 4, 4, 4, 12)
BASE_URL = "base URL"
"""What the SDK speaks of where an answer is none of saltant's."""


def instance(client: Client, text: str, cls: str | None = None) -> BaseTaskInstance:
    """The task instance of a UUID, or of the beginning of one alone, of either class unless `cls` says which.

    Raises:
        Failure: There is none, or more than one; it says which.
    """
    found = find_instances(client, uuid_prefix(text), cls)
    if not found:
        raise Failure(f"There is no {f'{cls} ' if cls else ''}task instance {text}.", NOT_FOUND)
    if len(found) > 1:
        listed = ", ".join(f"{each.uuid} ({each.state}{', ' + each.name if each.name else ''})" for each in found[:5])
        raise Failure(f"Several task instances begin with {text}: {listed}. Give more of it.", USAGE)
    return found[0]


def uuid_prefix(text: str) -> str:
    """The beginning of a UUID, in small letters and with hyphens in their places.

    >>> uuid_prefix("0B0C1122-3"), uuid_prefix("0b0c11223")
    ('0b0c1122-3', '0b0c1122-3')
    """
    digits = text.strip().lower().replace("-", "")
    if not re.fullmatch(r"[0-9a-f]{4,32}", digits):
        raise Failure(f"{text!r} is no UUID, nor the beginning of one: give {SHORTEST} digits at least.", USAGE)
    groups, start = [], 0
    for size in GROUPS:
        groups.append(digits[start : start + size])
        start += size
    return "-".join(group for group in groups if group)


def find_instances(client: Client, prefix: str, cls: str | None = None) -> list[BaseTaskInstance]:
    """Those whose UUID begins so."""
    managers: dict[str, BaseTaskInstanceManager[Any]] = {
        "executable": client.executable_task_instances,
        "container": client.container_task_instances,
    }
    found: list[BaseTaskInstance] = []
    for name, manager in managers.items():
        if cls not in (None, name):
            continue
        if len(prefix) < 36:
            found += _beginning_with(manager, prefix)
        elif (whole := unless_missing(manager.get, prefix)) is not None:
            return [whole]
    return found


def unless_missing(get: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What `get` gets; None if the server knows no such thing. That there is no server of saltant is told."""
    try:
        return get(*args, **kwargs)
    except NotFound as error:
        if BASE_URL in str(error):
            raise
        return None


def _beginning_with(manager: Any, prefix: str) -> list[Any]:
    try:
        listed = manager.list({"uuid__startswith": prefix, "page_size": 10})
    except BadRequest:
        listed = None
    if listed is None or any(not each.uuid.startswith(prefix) for each in listed):  # it does not know that filter
        listed = islice(manager.iterate(), LOOKED_AT)
    return [each for each in listed if each.uuid.startswith(prefix)]


def task_type(client: Client, text: str, cls: str | None = None) -> BaseTaskType:
    """The task type of a name or an id, of either class unless `cls` or `CLASS:` before it says which.

    Raises:
        Failure: There is none, or one of each class.
    """
    before, colon, after = text.partition(":")
    wanted = text
    if cls is None and colon and before in CLASSES:
        cls, wanted = before, after
    managers: dict[str, NamedModelManager[Any]] = {
        "executable": client.executable_task_types,
        "container": client.container_task_types,
    }
    searched = {name: manager for name, manager in managers.items() if cls in (None, name)}
    found = {name: made for name, manager in searched.items() if (made := _named(manager, wanted)) is not None}
    if len(found) > 1:
        raise Failure(
            f"{text!r} is an executable and a container task type: say executable:{text} or container:{text}.", USAGE
        )
    if not found:
        kind = f"{cls} task type" if cls else "task type"
        names = [each.name for manager in searched.values() for each in manager.list({"page_size": 500})]
        raise _missing(kind, wanted, names)
    only: BaseTaskType = next(iter(found.values()))
    return only


def class_of(model: BaseTaskType | BaseTaskInstance) -> str:
    """`executable` or `container`."""
    return "container" if type(model).__name__.startswith("Container") else "executable"


def instances_of(client: Client, model: BaseTaskType) -> Any:
    """The manager of the instances of a task type."""
    return client.container_task_instances if class_of(model) == "container" else client.executable_task_instances


def queue(client: Client, text: str) -> TaskQueue:
    """The task queue of a name or an id.

    Raises:
        Failure: There is none.
    """
    found: TaskQueue | None = _named(client.task_queues, text)
    if found is None:
        raise _missing("task queue", text, [each.name for each in client.task_queues.list({"page_size": 500})])
    return found


def whitelist(client: Client, text: str) -> TaskWhitelist:
    """The task whitelist of a name or an id.

    Raises:
        Failure: There is none.
    """
    found: TaskWhitelist | None = _named(client.task_whitelists, text)
    if found is None:
        raise _missing("task whitelist", text, [each.name for each in client.task_whitelists.list({"page_size": 500})])
    return found


def schedule(client: Client, text: str) -> Schedule:
    """The schedule of a name or an id.

    Raises:
        Failure: There is none.
    """
    found: Schedule | None = _named(client.schedules, text)
    if found is None:
        raise _missing("schedule", text, [each.name for each in client.schedules.list({"page_size": 500})])
    return found


def _named(manager: NamedModelManager[Any], text: str) -> Any:
    """By id, if it can be one, else by name; None if there is none."""
    found = unless_missing(manager.get, id=int(text)) if is_id(text) else None
    return found if found is not None or not text else unless_missing(manager.get, name=text)


def is_id(text: str) -> bool:
    """Whether it can be an id."""
    return text.isascii() and text.isdigit() and len(text) < 19


def _missing(kind: str, text: str, names: Sequence[str]) -> Failure:
    near = get_close_matches(text, names, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    if not near and 0 < len(names) <= 5:
        hint = f" There is {', '.join(map(repr, names))}."
    return Failure(f"There is no {kind} {text!r}.{hint}", NOT_FOUND)
