"""The README's lines, as a reader would type them."""

import os
import re
import subprocess
import sys
from pathlib import Path

from saltant.reasons import Reason
from tests.acceptance.system import Up

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_its_example_is_the_one_that_the_demo_runs() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert block == (ROOT / "examples/anagrams/example.py").read_text()


def test_its_example_runs_and_may_be_repeated(up: Up) -> None:
    environ = os.environ | {"SALTANT_API_URL": up.url, "SALTANT_AUTH_TOKEN": up.token}
    for _ in range(2):
        command = [sys.executable, "examples/anagrams/example.py"]
        run = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60)
        assert (run.stdout, run.stderr) == ("binary successful\nlisten successful\nstream successful\n", "")
    task_type = up.client.executable_task_types.get(name="anagrams")
    job = up.client.executable_task_instances.list({"task_type": task_type.id})[-1]
    assert up.result(job, "anagrams.txt") == "binary\nbrainy\n"
    assert "binary, brainy" in up.log(job)


def test_the_files_it_links_to_exist() -> None:
    for link in re.findall(r"\]\((?!http)([^)#]+)", README):
        assert (ROOT / link).exists(), link


def test_every_reason_is_documented() -> None:
    text = (ROOT / "docs/jobs.md").read_text()
    for reason in Reason:
        assert f"| `{reason}` | {reason.sentence} |" in text
