"""The examples in the SDK's docstrings that need no server."""

import doctest
import importlib

import pytest

MODULES = [
    "_http",
    "_http_errors",
    "client",
    "commands",
    "exceptions",
    "models._encoding",
    "models._waiting_many",
    "models.resource",
    "_streams",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    module = importlib.import_module(f"saltant.{name}")
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0
