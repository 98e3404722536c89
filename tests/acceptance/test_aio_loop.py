"""The asynchronous client on its loop, against a real server."""

import asyncio
import os
import re
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from saltant import AuthenticationError, WaitTimeout
from saltant.aio import AsyncClient, Stream
from saltant.aio.models import ExecutableTaskInstance
from tests.acceptance.system import START, Up

ROOT = Path(__file__).parents[2]
MANY = 500


def test_500_wait_at_once_on_one_loop(up: Up, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    tmp_path.chmod(0o755)
    job = up.submit(up.executable(f"sh -c 'while ! [ -e {gate} ]; do sleep 0.05; done'"))

    async def main() -> tuple[list[ExecutableTaskInstance], int]:
        async with AsyncClient(up.url, up.token) as client:
            manager = client.executable_task_instances
            waits = [asyncio.create_task(manager.wait_until_finished(job.uuid, timeout=START)) for _ in range(MANY)]
            looked = 0
            while looked < MANY:  # each holds a connection
                await asyncio.sleep(0.01)
                assert not any(task.done() for task in waits)
                looked = sum(_is_socket(each) for each in Path("/proc/self/fd").iterdir())
            threads = threading.active_count()
            gate.touch()
            return await asyncio.gather(*waits), threads

    ended, threads = asyncio.run(main())
    assert {each.state for each in ended} == {"successful"}
    assert len({id(each) for each in ended}) == MANY
    assert threads < 50, "no thread each"


def _is_socket(path: Path) -> bool:
    try:
        return str(path.readlink()).startswith("socket:")
    except OSError:
        return False


def test_a_cancelled_wait_lets_go_and_the_client_goes_on(up: Up) -> None:
    job = up.submit(up.executable("sleep 600"))

    async def main() -> None:
        async with AsyncClient(up.url, up.token) as client:
            manager = client.executable_task_instances
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(manager.wait_until_finished(job.uuid), 0.3)
            with pytest.raises(WaitTimeout) as caught:
                await manager.wait_until_finished(job.uuid, timeout=0.2)
            found = caught.value.instance
            assert isinstance(found, ExecutableTaskInstance), "an error holds what can be awaited, too"
            async with manager.watch({"task_type": job.task_type}) as changes:
                assert await found.terminate() is found
                states = [changed.state async for changed in _until_end(changes)]
            assert states[-1] == "terminated"

    asyncio.run(main())


async def _until_end(changes: Stream[ExecutableTaskInstance]) -> AsyncIterator[ExecutableTaskInstance]:
    async for changed in changes:
        yield changed
        if changed.is_finished:
            return


def test_a_wrong_token_is_told_at_the_door(up: Up) -> None:
    async def main() -> None:
        async with AsyncClient(up.url, "wrong-token-of-nobody"):
            raise AssertionError("it is not let in")

    with pytest.raises(AuthenticationError):
        asyncio.run(main())


def test_the_example_of_its_document(up: Up) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs/async.md").read_text(), re.DOTALL)
    up.executable(
        """sh -c 'python3 -c "import json, sys; print(json.loads(sys.argv[1])[\\"who\\"])" "$0"'""",
        name="greet",
        required_arguments=["who"],
    )
    environ = os.environ | {"SALTANT_API_URL": up.url, "SALTANT_AUTH_TOKEN": up.token}
    run = subprocess.run([sys.executable, "-c", example], env=environ, capture_output=True, text=True, timeout=60)
    assert (run.stdout, run.stderr) == ("successful Ada\nsuccessful Grace\n", "")
