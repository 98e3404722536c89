"""The command line where a part of saltant is not installed."""

import subprocess
import sys

import pytest

BLOCK = "import sys; sys.modules[{!r}] = None; from saltant.cli import main; main()"


@pytest.mark.parametrize(("missing", "words"), [("click", ["--help"]), ("django", ["up", "--port", "0"])])
def test_what_is_missing_is_named(missing: str, words: list[str]) -> None:
    """A module that is None in `sys.modules` is one that cannot be imported."""
    command = [sys.executable, "-c", BLOCK.format(missing), *words]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1
    assert run.stderr == f"This needs {missing}, which is not installed: pip install 'saltant-py[all]'\n"
