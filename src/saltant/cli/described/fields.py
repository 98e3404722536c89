"""What a description may say: the sections of the file, their keys, and which values those take."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from saltant.jobs import Network, PullPolicy
from saltant.reasons import RetryOn
from saltant.schedules import Overlap


class Wrong(Exception):
    """A value that a key does not take. The message says what it takes."""


Check = Callable[[object], object]
"""Gives a value as the server has it, or raises `Wrong`."""


def text(value: object) -> object:
    if not isinstance(value, str):
        raise Wrong("must be text: put it in quotes" if isinstance(value, bool | int | float) else "must be text")
    return value


def boolean(value: object) -> object:
    if not isinstance(value, bool):
        raise Wrong("must be true or false")
    return value


def integer(value: object) -> object:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Wrong("must be a whole number")
    return value


def number(value: object) -> object:
    if not isinstance(value, int | float) or isinstance(value, bool) or not isfinite(value):
        raise Wrong("must be a number")
    return value


def names(value: object) -> object:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Wrong("must be a list of names (put numbers and words such as yes in quotes)")
    return value


def values(value: object) -> object:
    try:
        if not isinstance(value, dict):
            raise TypeError
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        raise Wrong("must be names with values that JSON knows (put dates in quotes)") from None
    return value


def texts(value: object) -> object:
    if not isinstance(value, dict) or not all(isinstance(each, str) for pair in value.items() for each in pair):
        raise Wrong("must be names with texts (put numbers and words such as yes in quotes)")
    return value


def cron(value: object) -> object:
    return " ".join(str(text(value)).split())


def limits(value: object) -> object:
    found = values(value)
    return {name: whole(limit) for name, limit in found.items()} if isinstance(found, dict) else found


def whole(value: object) -> object:
    """A number as people write it: 600, where the server has 600.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def or_null(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def one_of(*choices: str) -> Check:
    def check(value: object) -> object:
        if value not in choices:
            raise Wrong(f"must be one of {', '.join(choices)}")
        return value

    return check


@dataclass(frozen=True)
class Key:
    """A key of a section.

    Attributes:
        check: which values it takes.
        default: what the server gives a new thing that does not say it.
        needed: whether a new thing has to say it.
        since: the version of the API that has it.
        refers: the section whose names it lists.
        is_one: whether it is one name, and not a list of them.
        field: the API's name for it; its own if empty.
        as_written: gives a value of the server's as people write it.
    """

    check: Check
    default: Any = None
    needed: bool = False
    since: int = 1
    refers: str = ""
    is_one: bool = False
    field: str = ""
    as_written: Check = whole

    def named(self, value: Any) -> list[str]:
        """The names that a value refers to."""
        if not self.refers or value is None:
            return []
        return [value] if self.is_one else value

    def same(self, one: object, other: object) -> bool:
        """Whether two values mean the same to the server."""
        return self._essence(one) == self._essence(other)

    def _essence(self, value: object) -> object:
        if self.refers and isinstance(value, list):
            return sorted(set(value))
        if isinstance(value, dict):
            return json.dumps(value, sort_keys=True)  # where 1 and true differ
        return None if value == "" and self.default is None else value


@dataclass(frozen=True)
class Section:
    """A kind of things.

    Attributes:
        manager: the client's attribute that acts on them; the section has its name.
        thing: what one of them is called.
        one_of: keys of which a new thing needs one. No thing has two of them.
        since: the version of the API that has such things.
    """

    manager: str
    thing: str
    keys: Mapping[str, Key]
    one_of: Sequence[str] = ()
    since: int = 1


LIMITS = {
    "timeout": Key(or_null(number), since=2),
    "queue_timeout": Key(or_null(number), since=2),
    "max_attempts": Key(integer, 1, since=2),
    "retry_on": Key(one_of(*(each.value for each in RetryOn)), RetryOn.LOST.value, since=2),
    "retry_delay": Key(number, 5, since=2),
    "memory": Key(or_null(integer), since=2),
    "cpus": Key(or_null(number), since=2),
    "priority": Key(integer, 5, since=2),
    "gpus": Key(or_null(integer), since=2),
}
CONTAINER = {
    "logs_path": Key(or_null(text)),
    "results_path": Key(or_null(text)),
    "pull_policy": Key(one_of(*(each.value for each in PullPolicy)), PullPolicy.IF_MISSING.value, since=2),
    "network": Key(one_of(*(each.value for each in Network)), Network.DEFAULT.value, since=2),
    "container_user": Key(text, "", since=2),
    "read_only_root": Key(boolean, False, since=2),
    "shm_size": Key(or_null(integer), since=2),
}
TYPE = {
    "description": Key(text, ""),
    "command_to_run": Key(text, needed=True),
    "environment_variables": Key(names, []),
    "required_arguments": Key(names, []),
    "required_arguments_default_values": Key(values, {}),
}
EXECUTABLES, CONTAINERS, WHITELISTS, QUEUES, SCHEDULES = (
    "executable_task_types",
    "container_task_types",
    "task_whitelists",
    "task_queues",
    "schedules",
)
SECTIONS = {
    EXECUTABLES: Section(
        EXECUTABLES, "executable task type", {**TYPE, "json_file_option": Key(or_null(text)), **LIMITS}
    ),
    CONTAINERS: Section(
        CONTAINERS,
        "container task type",
        {
            **TYPE,
            "container_image": Key(text, needed=True),
            "container_type": Key(one_of("docker", "singularity"), needed=True),
            **CONTAINER,
            **LIMITS,
        },
    ),
    WHITELISTS: Section(
        WHITELISTS,
        "task whitelist",
        {
            "description": Key(text, ""),
            EXECUTABLES: Key(names, [], refers=EXECUTABLES, field="whitelisted_executable_task_types"),
            CONTAINERS: Key(names, [], refers=CONTAINERS, field="whitelisted_container_task_types"),
        },
    ),
    QUEUES: Section(
        QUEUES,
        "task queue",
        {
            "description": Key(text, ""),
            "private": Key(boolean, False),
            "active": Key(boolean, True),
            "runs_executable_tasks": Key(boolean, True),
            "runs_docker_container_tasks": Key(boolean, True),
            "runs_singularity_container_tasks": Key(boolean, True),
            "whitelists": Key(names, [], refers=WHITELISTS),
            "paused": Key(boolean, False, since=2),
            "max_running": Key(or_null(integer), since=2),
        },
    ),
    SCHEDULES: Section(
        SCHEDULES,
        "schedule",
        {
            "description": Key(text, ""),
            "executable_task_type": Key(text, refers=EXECUTABLES, is_one=True, field="task_type"),
            "container_task_type": Key(text, refers=CONTAINERS, is_one=True, field="task_type"),
            "task_queue": Key(text, needed=True, refers=QUEUES, is_one=True),
            "cron": Key(cron, needed=True),
            "timezone": Key(text, "UTC"),
            "overlap": Key(one_of(*(each.value for each in Overlap)), Overlap.SKIP.value),
            "arguments": Key(values, {}),
            "instance_name": Key(text, ""),
            "labels": Key(texts, {}),
            "limits": Key(limits, {}, as_written=limits),
            "active": Key(boolean, True),
        },
        one_of=("executable_task_type", "container_task_type"),
        since=2,
    ),
}
"""In the order in which they are made: what others refer to comes first."""
