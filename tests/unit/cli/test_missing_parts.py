"""The command line where a part of saltant is not installed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BLOCK = "import sys; sys.modules[{!r}] = None; from saltant.cli import main; main()"


@pytest.mark.parametrize(("missing", "words"), [("click", ["--help"]), ("django", ["up", "--port", "0"])])
def test_what_is_missing_is_named(missing: str, words: list[str]) -> None:
    """A module that is None in `sys.modules` is one that cannot be imported."""
    command = [sys.executable, "-c", BLOCK.format(missing), *words]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert run.returncode == 1
    assert run.stderr == f"This needs {missing}, which is not installed: pip install 'saltant-py[all]'\n"


def test_a_workers_machine_is_checked_without_what_servers_need(tmp_path: Path) -> None:
    block = "import sys; sys.modules.update(dict.fromkeys(['django', 'psycopg', 'uvicorn']));"
    command = [sys.executable, "-c", f"{block} from saltant.cli import main; main()", "check", "--json"]
    environ = {"SALTANT_WORKER_TOKEN": "key", "SALTANT_DATA_DIR": str(tmp_path / "none")}
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ | environ)
    failed = [each["part"] for each in json.loads(run.stdout) if not each["ok"]]
    assert (run.returncode, failed, run.stderr) == (1, ["worker/settings"], "")


def test_what_a_check_lacks_is_named() -> None:
    command = [sys.executable, "-c", BLOCK.format("celery"), "check"]
    environ = os.environ | {"SALTANT_WORKER_TOKEN": "key"}
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environ)
    assert run.returncode == 1
    assert run.stderr == "Error: This needs celery, which is not installed: pip install 'saltant-py[worker]'\n"
