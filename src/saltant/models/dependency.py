"""Task instances that start after others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

if TYPE_CHECKING:
    from typing import TypeAlias

    from saltant.models._instance import BaseTaskInstance

    One: TypeAlias = BaseTaskInstance | str | UUID
    Others: TypeAlias = One | Iterable[One]


@dataclass(frozen=True)
class TaskDependency:
    """A task instance that another one starts after, or that starts after it.

    Attributes:
        uuid: Its UUID.
        task_class: `executable` or `container`.
        name: Its name.
        condition: How the one must end for the other to start: `success`, or `any`.
        state: Its state.
    """

    uuid: str
    task_class: str
    name: str
    condition: str
    state: str

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Self:
        """Make one of the data of an answer; what a newer server adds is left out."""
        return cls(**{field.name: data[field.name] for field in fields(cls)})


def encode_after(after: Any, after_any: Any, *, has_items: bool) -> list[Any]:
    """What a body says of those that an instance starts after: when they have succeeded, or anyhow.

    Args:
        has_items: Whether integers are the indexes of others of the same request.

    Raises:
        TypeError: One is no instance.

    >>> encode_after(["0b0c…"], 1, has_items=True)
    ['0b0c…', {'item': 1, 'condition': 'any'}]
    """
    said: list[Any] = [_name(each, has_items) for each in _each(after)]
    for each in _each(after_any):
        name = _name(each, has_items)
        said.append({"item" if isinstance(name, int) else "uuid": name, "condition": "any"})
    return said


def names_items(body: Any) -> bool:
    """Whether a body names others of the same request."""
    return any(isinstance(each, int) or (isinstance(each, dict) and "item" in each) for each in body.get("after", ()))


def _each(given: Any) -> Iterable[Any]:
    if given is None:
        return ()
    return given if isinstance(given, Iterable) and not isinstance(given, str) else (given,)


def _name(each: Any, has_items: bool) -> str | int:
    if has_items and isinstance(each, int) and not isinstance(each, bool):
        return each
    uuid = getattr(each, "uuid", each)
    if not isinstance(uuid, (str, UUID)):
        also = ", or the index of another one" if has_items else ""
        raise TypeError(f"Starts after a task instance or its UUID{also}, not {each!r}")
    return str(uuid)
