"""Makes the awaitable twin of a class: the same class, whose public methods can be awaited."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, get_overloads

from saltant.aio._bridge import is_bridged, run
from saltant.aio._streaming import File, Stream

SAME = ("response_data_to_model_instance", "response_data_to_model_instances_list")
"""What asks no server, and is no twin."""

ITERATORS = ("Iterator[", "Generator[", "Changes[")
FILES = ("BinaryIO",)


def awaitable_twin(cls: type, module: str, bases: tuple[type, ...] = (), **members: Any) -> type:
    """The twin of a class. Its own code runs unchanged, and on the loop.

    Args:
        cls: The class.
        module: Where its twin is.
        bases: The twins of its bases.
        members: What else the twin has of its own.
    """
    twins = {name: bridged(function) for name, function in methods(cls).items()}
    return type(cls.__name__, (*bases, cls), {"__module__": module, "__doc__": cls.__doc__, **twins, **members})


def methods(cls: type) -> dict[str, Callable[..., Any]]:
    """The methods that a class itself has and that its twin has as awaitables."""
    return {
        name: found
        for name, found in vars(cls).items()
        if inspect.isfunction(found) and not name.startswith("_") and name not in SAME
    }


def bridged(function: Callable[..., Any]) -> Callable[..., Any]:
    """A method that gives something to await, unless the SDK itself calls it within another one that is awaited."""
    wrapper = _wrapper_of(function)

    @functools.wraps(function)
    def call(self: Any, *args: Any, **options: Any) -> Any:
        if is_bridged():
            return function(self, *args, **options)
        kind = wrapper
        if kind is None and options.get("follow"):
            kind = Stream
        return answer(kind, function, self, *args, **options)

    return call


def answer(kind: type[Stream[Any]] | None, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """What such a call gives: a coroutine, or of something that comes bit by bit its stream."""
    if kind is not None:
        return kind(functools.partial(function, *args, **options))
    coroutine = run(function, *args, **options)
    coroutine.__qualname__ = function.__qualname__  # so that one that nobody awaits is told by its name
    return coroutine


def _wrapper_of(function: Callable[..., Any]) -> type[Stream[Any]] | None:
    said = str(function.__annotations__.get("return", ""))
    if said.startswith(FILES):
        return File
    return Stream if said.startswith(ITERATORS) and not get_overloads(function) else None
