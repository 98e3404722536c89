"""Logs and results get to the server: while jobs run, at their ends, and whatever is killed meanwhile."""

import hashlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from saltant.models.executable_task_instance import ExecutableTaskInstance
from tests.acceptance.cluster import Cluster
from tests.acceptance.conftest import SYSTEMS, make_site
from tests.acceptance.system import Site, Up, wait_until

pytestmark = pytest.mark.timeout(180)

BIG = 50_000_000
PRINTER = """
import os, sys
block = bytes(range(32, 127)) * 1000
left = int(sys.argv[1])
while left:
    left -= os.write(1, block[:left])
"""
SLOW = """
import os, time
for number in range(300):
    os.write(1, b'%06d ' % number * 2000 + b'\\n')
    time.sleep(0.02)
with open(os.environ['JOB_RESULTS_DIRECTORY'] + '/result', 'wb') as file:
    file.write(b'r' * 9_000_001)
"""


def python(folder: Path, text: str, name: str = "script.py") -> str:
    path = folder / name
    path.write_text(text)
    return f"python3 -I -S {path}"


def get(site: Site, instance: ExecutableTaskInstance, path: str, **options: Any) -> requests.Response:
    url = f"{site.url}executabletaskinstances/{instance.uuid}/{path}"
    headers = {"Authorization": f"Token {site.token}", "Accept": "*/*; version=2"}
    return requests.get(url, headers=headers, timeout=60, **options)


def log_of(site: Site, instance: ExecutableTaskInstance, name: str = "stdout") -> bytes:
    answer = get(site, instance, f"logs/{name}/")
    return answer.content if answer.status_code == 200 else b""


def digest_of(site: Site, instance: ExecutableTaskInstance, path: str) -> str:
    digest = hashlib.sha256()
    with get(site, instance, path, stream=True) as answer:
        assert answer.status_code == 200, answer.text
        for block in answer.iter_content(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def worker_pid(site: Site) -> int:
    program = site.workers[0] if isinstance(site, Cluster) else site
    assert isinstance(program, Up) or program.process is not None
    return program.process.pid  # type: ignore[union-attr]


def peak_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmHWM")).split()[1])


@pytest.mark.everywhere
def test_output_is_read_while_the_job_runs(up: Site, tmp_path: Path) -> None:
    go = tmp_path / "go"
    task_type = up.executable(f"/bin/sh -c 'echo first; while [ ! -e {go} ]; do sleep 0.05; done; echo last'")
    instance = up.submit(task_type)
    wait_until(lambda: log_of(up, instance) == b"first\n", "the first line is on the server")
    assert up.client.executable_task_instances.get(instance.uuid).state == "running"
    go.touch()
    done = instance.wait_until_finished(0.02, timeout=60)
    assert done.state == "successful"
    assert log_of(up, instance) == b"first\nlast\n"


@pytest.mark.everywhere
def test_much_output(up: Site, tmp_path: Path) -> None:
    task_type = up.executable(f"{python(tmp_path, PRINTER)} {BIG}")
    up.run(up.executable("/bin/echo warm"))
    pid = worker_pid(up)
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    before = peak_kb(pid)
    instance = up.run(task_type)
    assert instance.state == "successful"
    grown = peak_kb(pid) - before
    block = bytes(range(32, 127)) * 1000
    expected = hashlib.sha256((block * (BIG // len(block) + 1))[:BIG])
    assert digest_of(up, instance, "logs/stdout/") == expected.hexdigest()
    assert grown < 40_000, f"{grown} kB"


@pytest.mark.everywhere
def test_results_of_all_kinds(up: Site, tmp_path: Path) -> None:
    command = python(
        tmp_path,
        "import os\n"
        "os.chdir(os.environ['JOB_RESULTS_DIRECTORY'])\n"
        "os.makedirs('a/b')\n"
        "open('a/b/Übung ☃.txt', 'w').write('snow')\n"
        "open('empty', 'w')\n"
        "open('large', 'wb').write(os.urandom(1 << 20) * 20)\n"
        "os.symlink('/etc/passwd', 'passwd')\n"
        "os.mkfifo('pipe')\n",
    )
    instance = up.run(up.executable(command))
    assert instance.state == "successful"
    listed = {each["name"]: each for each in get(up, instance, "results/").json()}
    assert {name for name, each in listed.items() if not each.get("why")} == {"a/b/Übung ☃.txt", "empty", "large"}
    assert {name: each["why"] for name, each in listed.items() if each.get("why")} == {
        "passwd": "It is a link.",
        "pipe": "It is a pipe.",
    }
    large = up.data_dir / "results" / instance.uuid / "large"
    assert digest_of(up, instance, "results/large") == hashlib.sha256(large.read_bytes()).hexdigest()
    assert get(up, instance, "results/a/b/Übung ☃.txt").content == b"snow"
    assert get(up, instance, "results/empty").content == b""


@pytest.mark.everywhere
def test_a_job_that_puts_a_link_in_the_place_of_its_log(up: Site, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret" * 100_000)
    command = python(
        tmp_path,
        "import os\n"
        "path = '{0}/{1}-stdout.txt'.format(os.environ['JOB_LOGS_DIRECTORY'], os.environ['JOB_UUID'])\n"
        "print('before', flush=True)\n"
        f"os.unlink(path); os.symlink({str(secret)!r}, path)\n"
        "print('after', flush=True)\n",
    )
    instance = up.run(up.executable(command))
    assert log_of(up, instance) == b"before\nafter\n"


@pytest.fixture
def own_site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Up | Cluster]:
    """A site of the test's own, to be killed."""
    with make_site(request.param, request, tmp_path / "site", environ={"SALTANT_LEASE": "10"}) as site:
        yield site


def expected_slow() -> bytes:
    return b"".join(b"%06d " % number * 2000 + b"\n" for number in range(300))


@pytest.mark.parametrize("own_site", [name for name in SYSTEMS if SYSTEMS[name]], indirect=True)
def test_the_server_is_killed_meanwhile(own_site: Cluster, tmp_path: Path) -> None:
    instance = own_site.submit(own_site.executable(python(tmp_path, SLOW)))
    wait_until(lambda: len(log_of(own_site, instance)) > 100_000, "some of it is on the server")
    own_site.kill_server()
    results = own_site.data_dir / "results" / instance.uuid / "result"
    wait_until(lambda: results.exists() and results.stat().st_size == 9_000_001, "the job ends")
    own_site.start_server()
    done = own_site.client.executable_task_instances.get(instance.uuid).wait_until_finished(0.05, timeout=60)
    assert done.state == "successful"
    assert log_of(own_site, instance) == expected_slow()
    assert digest_of(own_site, instance, "results/result") == hashlib.sha256(b"r" * 9_000_001).hexdigest()


@pytest.mark.parametrize("own_site", SYSTEMS, indirect=True)
def test_the_worker_is_killed_meanwhile(own_site: Up | Cluster, tmp_path: Path) -> None:
    instance = own_site.submit(own_site.executable(python(tmp_path, SLOW)))
    wait_until(lambda: len(log_of(own_site, instance)) > 100_000, "some of it is on the server")
    path = own_site.data_dir / "logs" / instance.uuid / f"{instance.uuid}-stdout.txt"
    pid = worker_pid(own_site)
    os.kill(pid, signal.SIGSTOP)  # what comes now is shipped by the next life alone
    size = path.stat().st_size
    wait_until(lambda: path.stat().st_size > size + 500_000, "it prints more")
    program = own_site.workers[0] if isinstance(own_site, Cluster) else own_site
    program.kill()
    program.start()
    wait_until(lambda: log_of(own_site, instance) == path.read_bytes(), "all that was printed is on the server")
    assert expected_slow().startswith(path.read_bytes())
