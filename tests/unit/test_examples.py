"""The examples in docstrings of what operators use."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["logs", "up.archive", "server.https_only"])
def test_examples(name: str) -> None:
    module = importlib.import_module(f"saltant.{name}")
    result = doctest.testmod(module)
    assert (result.failed, result.attempted > 0) == (0, True)
