"""Finds what of the SDK asks the server, and makes the awaitable twin of each such class."""

import importlib
import inspect
import pkgutil
from typing import Any

import saltant.models
from saltant.aio._surface import awaitable_twin, methods
from saltant.client import Client
from saltant.models.resource import Model, ModelManager
from saltant.models.result_file import ResultFile

HOME = "saltant.aio.models"


def _classes() -> list[type]:
    """The classes of all modules of the SDK's models."""
    modules = [
        importlib.import_module(f"saltant.models.{found.name}")
        for found in pkgutil.iter_modules(saltant.models.__path__)
    ]
    return [
        found
        for module in modules
        for found in vars(module).values()
        if inspect.isclass(found) and found.__module__ == module.__name__
    ]


CLASSES = _classes()
TWINS: dict[type, Any] = {}
"""The twin of each class of the SDK's that has one; bases first."""


def _has_twin(cls: type) -> bool:
    """Whether it asks the server: models, managers, and what parts of them have methods."""
    if issubclass(cls, (Model, ModelManager, ResultFile)):
        return True
    return bool(methods(cls)) and any(issubclass(kind, cls) for kind in CLASSES if issubclass(kind, Model))


def _twin(cls: type) -> Any:
    if cls not in TWINS:
        bases = tuple(_twin(base) for base in cls.__bases__ if base in CLASSES and _has_twin(base))
        members = {
            name: _twin(value)
            for name, value in vars(cls).items()
            # What the class makes of answers, as `model` says it.
            if inspect.isclass(value) and value in CLASSES and _has_twin(value)
        }
        TWINS[cls] = awaitable_twin(cls, HOME, bases, **members)
    return TWINS[cls]


for _class in CLASSES:
    if _has_twin(_class):
        _twin(_class)
TWINS[Client] = awaitable_twin(Client, HOME)
