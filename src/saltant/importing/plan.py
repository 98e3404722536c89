"""What of another server's definitions is here already, what is new, and what is here with other content.

Things are the same that have the same name and say the same in version 1 of the wire, their ids and the time of their
creation aside. Ids differ between servers, so things name each other by their names.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.core.exceptions import ValidationError

from saltant.importing.source import JSON, Source
from saltant.server.accounts.models import User
from saltant.server.api.resources import QUEUES, TYPES, USERS, WHITELISTS, Resource
from saltant.server.tasks.models import TaskClass

SUFFIX = "-imported"
OWN = ("id", "datetime_created", "username", "name")
"""What is each server's own, or what a thing is found by."""


class OnConflict(StrEnum):
    """What becomes of a thing whose name is here with other content."""

    STOP = "stop"
    SKIP = "skip"
    RENAME = "rename"


class Verdict(StrEnum):
    """What is done about a thing."""

    NEW = "new"
    HERE = "here"
    LEFT_OUT = "left out"


@dataclass(frozen=True)
class Kind:
    """A kind of things.

    Attributes:
        path: below the API's base URL.
        lists: the keys that hold ids of other things, and the paths of these.
    """

    path: str
    words: str
    resource: Resource
    lists: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Where a thing's name is."""
        return "username" if self.path == "users" else "name"

    def here(self, name: str) -> Any:
        """The thing of that name here, or None."""
        return None if "\0" in name else self.resource.all().filter(**{self.key: name}).first()


EXECUTABLES, CONTAINERS = "executabletasktypes", "containertasktypes"
KINDS = (
    Kind("users", "users", USERS),
    Kind(EXECUTABLES, "executable task types", TYPES[TaskClass.EXECUTABLE]),
    Kind(CONTAINERS, "container task types", TYPES[TaskClass.CONTAINER]),
    Kind(
        "taskwhitelists",
        "task whitelists",
        WHITELISTS,
        {"whitelisted_container_task_types": CONTAINERS, "whitelisted_executable_task_types": EXECUTABLES},
    ),
    Kind("taskqueues", "task queues", QUEUES, {"whitelists": "taskwhitelists"}),
)
"""In an order in which each names only those before it."""


@dataclass
class Item:
    """One thing of the other server.

    Attributes:
        there: its name there.
        name: what it is to be called here.
        said: what the other server says of it, but with names instead of ids.
        why: what differs, or why it cannot be brought; empty: nothing.
    """

    kind: Kind
    id: Any
    there: str
    name: str
    said: JSON
    verdict: Verdict = Verdict.NEW
    why: str = ""


class Plan:
    """What is to be done about all definitions. Making it changes nothing.

    Attributes:
        items: all things, in an order in which they can be made.
        conflicts: those whose names are here with other content, and those that cannot be here.
    """

    def __init__(self, source: Source, on_conflict: OnConflict) -> None:
        self.items: list[Item] = []
        self.conflicts: list[Item] = []
        self._on_conflict = on_conflict
        self._names: dict[str, dict[Any, str]] = {}
        for kind in KINDS:
            names = self._names[kind.path] = {}
            for said in source.all(kind.path):
                item = self._item(kind, said)
                self.items.append(item)
                if item.verdict is not Verdict.LEFT_OUT:
                    names[item.id] = item.name

    def names(self, path: str) -> Mapping[Any, str]:
        """What things of the other server are called here, by their ids there; users by their names."""
        return self._names[path]

    def _item(self, kind: Kind, said: JSON) -> Item:
        name = said.get(kind.key)
        if not isinstance(name, str):
            name = str(name)
        item = Item(kind, said.get("id", name), name, name, self._with_names(kind, said))
        found = kind.here(name)
        if found is None:
            item.why = flaw(item)
        else:
            item.why = ", ".join(sorted(differing(item.said, body_here(kind, found))))
        if not item.why:
            item.verdict = Verdict.NEW if found is None else Verdict.HERE
            return item
        self.conflicts.append(item)
        if found is None:
            item.verdict = Verdict.LEFT_OUT
        elif self._on_conflict is OnConflict.RENAME:
            self._rename(item)
        else:
            item.why, item.verdict = f"is here and differs in {item.why}", Verdict.HERE
        return item

    def _rename(self, item: Item) -> None:
        """Give it a name under which it is here already, or nothing is."""
        kind, name, number = item.kind, item.name, 1
        item.why = f"is here and differs in {item.why}"
        while True:
            suffix = SUFFIX if number == 1 else f"{SUFFIX}-{number}"
            longest = kind.resource.model._meta.get_field(kind.key).max_length
            item.name = name[: longest - len(suffix)] + suffix
            found = kind.here(item.name)
            if found is None:
                item.said[kind.key] = item.name
                wrong = flaw(item)
                item.verdict = Verdict.LEFT_OUT if wrong else Verdict.NEW
                item.why = wrong or item.why
                return
            if not differing(item.said, body_here(kind, found)):
                item.verdict = Verdict.HERE
                return
            number += 1

    def _with_names(self, kind: Kind, said: JSON) -> JSON:
        made = dict(said)
        if kind.path != "users":
            made["user"] = self._names["users"].get(said.get("user"))
        for key, path in kind.lists.items():
            names = self._names[path]
            ids = said.get(key)
            made[key] = (
                sorted(names[each] for each in ids if isinstance(each, int) and each in names)
                if isinstance(ids, list)
                else []
            )
        return made


def body_here(kind: Kind, thing: Any) -> JSON:
    """What this server says of a thing, in version 1, with names instead of ids."""
    lookup = str(getattr(thing, kind.resource.lookup))
    said: JSON = json.loads(kind.resource.body("1", lookup))
    for key, path in kind.lists.items():
        other = next(each for each in KINDS if each.path == path)
        rows: Iterable[tuple[str]] = other.resource.all().filter(pk__in=said[key]).values_list("name")
        said[key] = sorted(name for (name,) in rows)
    return said


def differing(there: JSON, here: JSON) -> set[str]:
    """The keys in which two bodies differ. What the other server does not say differs in nothing."""
    return {key for key in here if key not in OWN and key in there and there[key] != here[key]}


def flaw(item: Item) -> str:
    """Why a thing cannot be made here, in a sentence; empty: it can."""
    if item.kind.path == "users":
        user = User(username=item.name, email=item.said.get("email") or "")
        user.set_unusable_password()
        return _sentence(user.full_clean)
    data = {key: value for key, value in item.said.items() if key not in item.kind.lists}
    serializer = item.kind.resource.serializer("1")(data=data)
    if serializer.is_valid():
        return ""
    return " ".join(f"{key}: {' '.join(map(str, said))}" for key, said in serializer.errors.items())


def _sentence(check: Callable[[], None]) -> str:
    try:
        check()
    except ValidationError as error:
        return " ".join(error.messages)
    return ""
