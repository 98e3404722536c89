"""The reference and the man page say what the commands say; and every command says what it has to."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from saltant.cli import failures, reference

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("name", reference.PAGES)
def test_it_is_not_stale(name: str) -> None:
    path = DOCS / name
    written = path.read_text() if path.exists() else ""
    assert written == reference.PAGES[name](), f"docs/{name} is stale: run .venv/bin/{reference.REMAKE}"


def test_no_command_lacks_help_or_an_example() -> None:
    assert reference.lacks() == []


def test_every_exit_code_is_told() -> None:
    told = {int(code) for code, _ in reference.exit_codes()}
    assert told == {0, failures.OTHER, failures.TIMEOUT, failures.INTERRUPTED, *(code for _, code in failures.CODES)}


def test_it_does_not_depend_on_where_it_is_made() -> None:
    program = "from saltant.cli import reference; print(reference.markdown(), reference.man())"
    environments = (
        {"COLUMNS": "20", "TERM": "dumb", "LANG": "C", "HOME": "/", "SALTANT_PROFILE": "x"},
        {"COLUMNS": "400"},
    )
    made = {
        subprocess.run(
            [sys.executable, "-X", "utf8", "-c", program], capture_output=True, check=True, env=os.environ | environ
        ).stdout
        for environ in environments
    }
    assert len(made) == 1


@pytest.mark.skipif(not shutil.which("groff"), reason="no groff here")
def test_roff_has_nothing_against_the_man_page() -> None:
    done = subprocess.run(
        ["groff", "-man", "-Kutf8", "-Tutf8", "-ww", "-z", DOCS / "saltant.1"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
