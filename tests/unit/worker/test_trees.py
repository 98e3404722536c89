"""Nothing of a job outlives it."""

import os
import signal
import time
from collections.abc import Callable
from functools import partial

import pytest

from saltant.jobs import Attempt
from saltant.reasons import Reason
from saltant.states import State
from saltant.worker import processes
from tests.unit.worker.rig import PYTHON, Rig, alive, kill, shim_of, until

Script = Callable[..., str]

SETSID = "#!/bin/sh\nsetsid sleep 1000 & setsid sh -c 'setsid sleep 1000 & sleep 1000' & echo ready; wait"
TWICE = "#!/bin/sh\n(sleep 1000 &) ; ((sleep 1000 &) &); sh -c '(sleep 1000 &) ; exit 0'; echo ready; sleep 1000"
DEAF = "#!/bin/sh\ntrap '' TERM HUP INT\nsh -c 'while :; do sleep 1000; done' & setsid sleep 1000 & echo ready; wait"
STOPPED = "#!/bin/sh\nsleep 1000 & kill -STOP $!; (sleep 1000 & kill -STOP $!); echo ready; kill -STOP $$"
HIDDEN = "#!/bin/sh\nenv -i setsid sleep 1000.25 & env -i sh -c '(sleep 1000.25 &)'; echo ready; wait"
MANY = """#!/bin/sh
i=0; while [ $i -lt 150 ]; do sleep 1000 & setsid sh -c 'trap "" TERM; sleep 1000' & i=$((i+1)); done; echo ready; wait
"""
BOMB = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
if os.fork():
    os._exit(0)
for _ in range(9):  # each doubles them, up to 512
    if os.fork() == 0:
        os.setsid()
    time.sleep(0.05)
time.sleep(1000)
"""
SPAWNER = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
for _ in range(2000):  # a chain: each is gone as soon as its child runs
    if os.fork():
        if os.getpid() != os.getsid(0):
            os._exit(0)
        time.sleep(1000)
    time.sleep(0.002)
time.sleep(1000)
"""


@pytest.mark.parametrize(
    "tree", [SETSID, TWICE, DEAF, STOPPED, HIDDEN, MANY], ids=["setsid", "twice", "deaf", "stopped", "hidden", "many"]
)
def test_terminating_ends_the_whole_tree(rig: Rig, script: Script, tree: str) -> None:
    attempt = rig.submit(script(tree))
    rig.said(attempt)
    shim = shim_of(attempt.uuid)
    rig.cancel(attempt)
    end = rig.end_of(attempt)
    assert alive(attempt.uuid) == []
    assert end.reason is Reason.CANCELLED
    assert end.state is State.TERMINATED
    assert processes.children(shim) == []
    assert_no_sleeper()


def assert_no_sleeper() -> None:
    """Those who emptied their environment are known by what they run."""
    for pid in os.listdir("/proc"):  # noqa: PTH208
        if pid.isdigit():
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
                    assert b"1000.25" not in file.read().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):
                pass


def test_a_chain_of_forks_is_ended(rig: Rig, script: Script) -> None:
    attempt = rig.submit(f"{PYTHON} {script(SPAWNER)}")
    rig.said(attempt)
    rig.cancel(attempt)
    assert rig.end_of(attempt).reason is Reason.CANCELLED
    assert alive(attempt.uuid) == []


@pytest.mark.parametrize("grace", [0.05, 0.3])
def test_a_fork_bomb_is_ended(make_rig: Callable[..., Rig], script: Script, grace: float) -> None:
    attempt = (rig := make_rig(kill_grace=grace)).submit(f"{PYTHON} {script(BOMB)}")
    end = rig.end_of(attempt)
    assert (end.reason, end.exit_code) == (Reason.EXITED, 0)
    assert alive(attempt.uuid) == []


def test_what_a_program_leaves_behind_is_ended_and_its_own_end_kept(rig: Rig, script: Script) -> None:
    text = "#!/bin/sh\nsleep 1000 & setsid sh -c 'trap \"\" TERM; sleep 1000 & wait' & (sleep 1000 &)\nexit 7"
    attempt = rig.submit(script(text))
    end = rig.end_of(attempt)
    assert (end.reason, end.exit_code) == (Reason.EXITED, 7)
    assert alive(attempt.uuid) == []


def test_what_is_left_behind_is_told_before_it_is_killed(rig: Rig, script: Script) -> None:
    child = script("#!/bin/sh\ntrap 'echo told; exit' TERM\necho ready\nwhile :; do sleep 0.01; done", "child")
    attempt = rig.submit(
        script(f"#!/bin/sh\n{child} &\nwhile ! grep -q ready $JOB_LOGS_DIRECTORY/*out.txt; do :; done")
    )
    assert rig.end_of(attempt).exit_code == 0
    assert rig.folders.of(attempt).stdout.read_text() == "ready\ntold\n"


def test_a_program_may_clean_up_within_the_grace(make_rig: Callable[..., Rig], script: Script) -> None:
    rig = make_rig(kill_grace=20.0)
    text = "#!/bin/sh\ntrap 'sh -c \"sleep 0.3; echo cleaned\"; exit 4' TERM\necho ready\nwhile :; do sleep 0.01; done"
    attempt = rig.submit(script(text))
    rig.said(attempt)
    rig.cancel(attempt)
    end = rig.end_of(attempt)
    assert (end.reason, end.exit_code, end.signal) == (Reason.CANCELLED, 4, None)
    assert rig.folders.of(attempt).stdout.read_text() == "ready\ncleaned\n"


def test_the_signal_that_ended_it_is_told(rig: Rig) -> None:
    attempt = rig.submit("/bin/sleep 1000")
    until(lambda: alive(attempt.uuid))
    rig.cancel(attempt)
    end = rig.end_of(attempt)
    assert (end.reason, end.signal, end.exit_code) == (Reason.CANCELLED, signal.SIGTERM, None)


def test_a_deaf_program_is_killed_after_the_grace(rig: Rig, script: Script) -> None:
    attempt = rig.submit(script(DEAF))
    rig.said(attempt)
    began = time.monotonic()
    rig.cancel(attempt)
    assert rig.end_of(attempt).signal == signal.SIGKILL
    assert time.monotonic() - began >= 0.5  # the grace


def test_a_cancel_keeps_the_end_of_a_program_that_ended_before(make_rig: Callable[..., Rig], script: Script) -> None:
    rig = make_rig(kill_grace=1000.0)
    text = "#!/bin/sh\nsetsid sh -c 'trap \"\" TERM; echo ready; while :; do sleep 1000; done' &\n"
    text += "while ! grep -q ready $JOB_LOGS_DIRECTORY/*out.txt; do :; done\nexit 5"
    attempt = rig.submit(script(text))
    rig.said(attempt)
    sleeper = alive(attempt.uuid)
    until(lambda: len(alive(attempt.uuid)) <= 2, str(sleeper))  # the program itself has gone
    rig.server.cancelled.add(attempt)
    rig.worker._heart._kill_grace = 0.1
    rig.worker.look()
    end = rig.end_of(attempt)
    assert (end.reason, end.exit_code) == (Reason.EXITED, 5)
    assert alive(attempt.uuid) == []


def is_seen(rig: Rig, attempt: Attempt) -> bool:
    return attempt in rig.server.ends or bool(alive(attempt.uuid))


def test_ends_and_cancels_at_the_same_moment_tell_one_story(make_rig: Callable[..., Rig], script: Script) -> None:
    """Whoever exited by itself has exit code 0 and is successful; whoever was told has the signal and is terminated."""
    rig = make_rig(slots=4)
    program = script("#!/bin/sh\nsleep 0.03")
    attempts = [rig.submit(program) for _ in range(40)]
    for attempt in attempts:
        until(partial(is_seen, rig, attempt))
        rig.cancel(attempt)
    for attempt in attempts:
        end = rig.end_of(attempt)
        if end.state is State.SUCCESSFUL:
            assert (end.exit_code, end.signal) == (0, None)
        elif end.started is not None:
            assert end.state is State.TERMINATED
            assert end.signal == signal.SIGTERM or end.exit_code == 128 + signal.SIGTERM
        assert alive(attempt.uuid) == []


def test_a_stopped_shim_does_not_hold_a_job(make_rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saltant.worker.running._LATE", 0.1)
    rig = make_rig(heartbeat_seconds=0.1, kill_grace=0.1)
    attempt = rig.submit("/bin/sleep 1000")
    until(lambda: alive(attempt.uuid))
    kill(shim_of(attempt.uuid), signal.SIGSTOP)
    rig.cancel(attempt)
    assert rig.end_of(attempt).reason is Reason.CANCELLED
    assert alive(attempt.uuid) == []
