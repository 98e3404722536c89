"""The examples in docstrings of what operators use, and of what pages say."""

import doctest
import importlib

import pytest

OPERATORS = ["logs", "up.archive", "server.https_only"]
PAGES = [f"server.web.{name}" for name in ("words", "life", "previews", "log_text", "diffs", "views.base")]


@pytest.mark.parametrize("name", [*OPERATORS, *PAGES])
def test_examples(name: str) -> None:
    module = importlib.import_module(f"saltant.{name}")
    result = doctest.testmod(module)
    assert (result.failed, result.attempted > 0) == (0, True)
