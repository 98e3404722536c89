"""kill -9 of the worker, its launcher or a shim: the job ends, nothing is left, and the reason is true."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from saltant.reasons import Reason
from saltant.worker import processes
from saltant.worker.leftovers import LAUNCHER_VARIABLE, environment_of, kill_leftovers
from tests.unit.worker.rig import Rig, alive, is_running, kill, shim_of, until

Script = Callable[..., str]

TREE = """#!/bin/sh
trap '' TERM
(sleep 1000 &); setsid sh -c 'trap "" TERM; sleep 1000 & sleep 1000' & env -i setsid sleep 1000.75 & echo ready; wait
"""

WORKER = """
import sys
from pathlib import Path
from tests.unit.worker.rig import Rig
rig = Rig(Path(sys.argv[1]), kill_grace=float(sys.argv[2]))
attempt = rig.submit(sys.argv[3], timeout=float(sys.argv[4]))
rig.said(attempt)
print(attempt.uuid, rig.launcher.pid, flush=True)
sys.stdin.read()
"""


def hidden() -> list[int]:
    """Those of TREE that emptied their environment."""
    found = []
    for pid in processes.all_pids():
        try:
            if b"1000.75" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                found.append(pid)
        except OSError:
            continue
    return found


def watches(data: Path) -> list[int]:
    """The launchers and shims over a data folder."""
    mark = os.fsencode(data)
    return [pid for pid in processes.all_pids() if environment_of(pid).get(LAUNCHER_VARIABLE.encode()) == mark]


def start_worker(
    data: Path, grace: float, command: str, timeout: float = 1000
) -> tuple[subprocess.Popen[str], UUID, int]:
    root = Path(__file__).parents[3]
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(data), str(grace), command, str(timeout)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        start_new_session=True,
    )
    assert worker.stdout is not None
    uuid, launcher = worker.stdout.readline().split()
    return worker, UUID(uuid), int(launcher)


def close(worker: subprocess.Popen[str]) -> None:
    with worker:
        worker.kill()


def test_a_killed_worker_leaves_nothing(tmp_path: Path, script: Script) -> None:
    data = tmp_path / "data"
    worker, uuid, launcher = start_worker(data, 0.2, script(TREE))
    until(lambda: len(alive(uuid)) >= 5)
    assert len(watches(data)) == 2
    worker.kill()
    until(lambda: not alive(uuid) and not hidden())
    until(lambda: not watches(data))
    until(lambda: not is_running(launcher))
    close(worker)


def test_a_killed_worker_gives_its_programs_their_grace(tmp_path: Path, script: Script) -> None:
    text = "#!/bin/sh\ntrap 'sleep 0.2; echo cleaned; exit' TERM\necho ready; while :; do sleep 0.01; done"
    data = tmp_path / "data"
    worker, uuid, _ = start_worker(data, 20, script(text))
    worker.kill()
    until(lambda: not watches(data))
    (log,) = (data / "logs" / str(uuid)).glob("*-stdout.txt")
    assert log.read_text() == "ready\ncleaned\n"
    close(worker)


@pytest.mark.parametrize("who", ["launcher", "worker"])
def test_what_was_killed_at_once_is_ended_at_the_next_start(tmp_path: Path, script: Script, who: str) -> None:
    """Everything of saltant is killed, or all but the shims, which then see a long grace cut short."""
    data = tmp_path / "data"
    worker, uuid, launcher = start_worker(data, 1000, script(TREE))
    victims = [launcher, worker.pid]
    if who == "worker":
        victims = [launcher, *(pid for pid in watches(data) if pid != launcher), worker.pid]
    for pid in victims:
        kill(pid, signal.SIGSTOP)
    for pid in victims:
        kill(pid)
    worker.wait()
    assert alive(uuid)
    stranger = subprocess.Popen(["/bin/sleep", "1000"], env={"JOB_LOGS_DIRECTORY": f"{data}-other/logs"})
    assert kill_leftovers(data) > 0
    assert alive(uuid) == []
    assert watches(data) == []
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()
    for pid in hidden():
        # Only where the shim was killed as well may those escape who emptied their environment.
        assert who == "worker"
        kill(pid)
    assert kill_leftovers(data) == 0
    close(worker)


def test_a_killed_launcher_takes_its_jobs_along_and_is_replaced(rig: Rig, script: Script) -> None:
    attempt = rig.submit(script(TREE))
    rig.said(attempt)
    first = rig.launcher.pid
    assert first is not None
    kill(first)
    end = rig.end_of(attempt)
    assert alive(attempt.uuid) == hidden() == []
    assert end.reason is Reason.LOST
    assert "was killed" in end.message
    assert rig.run("/bin/echo again")[1] == b"again\n"
    assert rig.launcher.pid not in (None, first)


def test_a_program_that_hears_of_its_killed_launcher_has_its_grace(
    make_rig: Callable[..., Rig], script: Script
) -> None:
    rig = make_rig(kill_grace=1000)
    polite = "trap 'echo bye >$JOB_RESULTS_DIRECTORY/said; exit 3' TERM"
    attempt = rig.submit(script(f"#!/bin/sh\n{polite}; echo ready; while :; do sleep 0.01; done"))
    rig.said(attempt)
    assert rig.launcher.pid is not None
    kill(rig.launcher.pid)
    end = rig.end_of(attempt)
    assert (end.reason, end.exit_code) == (Reason.LOST, 3)
    assert (rig.folders.of(attempt).results / "said").read_text() == "bye\n"


def test_a_killed_shim_takes_its_job_along(rig: Rig, script: Script) -> None:
    attempt = rig.submit(script(TREE))
    rig.said(attempt)
    kill(shim_of(attempt.uuid))
    end = rig.end_of(attempt)
    assert alive(attempt.uuid) == hidden() == []
    assert end.reason is Reason.LOST
    assert "watched over it was killed" in end.message
    assert (end.exit_code, end.signal, end.cpu_seconds) == (None, None, None)
    assert end.started is not None
    assert rig.run("/bin/true")[0].exit_code == 0


def test_one_jobs_killed_shim_is_not_anothers_trouble(rig: Rig, script: Script) -> None:
    first, second = (rig.submit(script(TREE)) for _ in range(2))
    rig.said(first)
    rig.said(second)
    before = shim_of(second.uuid)
    kill(shim_of(first.uuid))
    rig.end_of(first)
    assert alive(first.uuid) == []
    assert shim_of(second.uuid) == before
    assert second in rig.worker.running


def test_a_killed_shim_and_launcher(rig: Rig, script: Script) -> None:
    attempt = rig.submit(script(TREE))
    rig.said(attempt)
    shim, launcher = shim_of(attempt.uuid), rig.launcher.pid
    assert launcher is not None
    kill(launcher)
    kill(shim)
    end = rig.end_of(attempt)
    assert alive(attempt.uuid) == []
    assert end.reason is Reason.LOST
    for pid in hidden():  # nothing is left by which it could be known
        kill(pid)


@pytest.mark.parametrize("victim", ["launcher", "shim"])
def test_kills_at_any_moment(make_rig: Callable[..., Rig], script: Script, victim: str) -> None:
    rig = make_rig(slots=3)
    program = script("#!/bin/sh\n(sleep 0.05; sleep 0.05) & sleep 0.02")
    attempts = [rig.submit(program) for _ in range(30)]
    while len(rig.server.ends) < len(attempts):
        launcher = rig.launcher.pid
        shims = processes.children(launcher) if launcher is not None else []
        target = launcher if victim == "launcher" else next(iter(shims), None)
        if target is not None:
            seen = processes.look(target)
            if seen is not None:
                processes.send(seen, signal.SIGKILL)
        with rig.server.changed:
            rig.server.changed.wait(0.02)
    for attempt in attempts:
        end = rig.end_of(attempt)
        assert end.reason in (Reason.EXITED, Reason.LOST, Reason.WORKER_ERROR)
        assert end.reason is not Reason.EXITED or end.exit_code == 0
        assert alive(attempt.uuid) == []


def test_the_launcher_is_out_of_a_terminals_reach(tmp_path: Path, script: Script) -> None:
    data = tmp_path / "data"
    worker, uuid, launcher = start_worker(data, 0.2, script(TREE))
    mine = os.getsid(worker.pid)
    assert all(os.getsid(pid) != mine for pid in [launcher, *watches(data), *alive(uuid)])
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        for pid in watches(data):
            kill(pid, signum)
    assert len(watches(data)) == 2
    assert alive(uuid)
    close(worker)
    until(lambda: not watches(data))


def test_the_launcher_holds_nothing_of_its_worker(rig: Rig, tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        assert rig.run("/bin/true")[0].exit_code == 0
        launcher = rig.launcher.pid
        held = [str(path.readlink()) for path in Path(f"/proc/{launcher}/fd").iterdir()]
    assert not [path for path in held if str(tmp_path) in path]
    assert launcher is not None
    assert set(environment_of(launcher)) <= {LAUNCHER_VARIABLE.encode(), b"LD_LIBRARY_PATH", b"LC_CTYPE"}
