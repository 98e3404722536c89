"""Timeouts, memory and processor limits, and what a job used."""

import signal
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from saltant.jobs import Attempt
from saltant.reasons import Reason
from saltant.states import State
from saltant.worker.cgroups import Cgroups
from saltant.worker.running import Running
from tests.unit.worker.rig import PYTHON, Rig, alive, kill, shim_of, until
from tests.unit.worker.test_kills import close, start_worker

MakeRig = Callable[..., Rig]
Script = Callable[..., str]

MIB = 1 << 20
DEAF = "#!/bin/sh\ntrap '' TERM\nsetsid sh -c 'trap \"\" TERM; sleep 1000 & sleep 1000' & while :; do sleep 1000; done"

why_not = {name: Cgroups("/").why_not(name) for name in ("memory", "cpu")}
needs_memory = pytest.mark.skipif(why_not["memory"] is not None, reason=f"no memory cgroup: {why_not['memory']}")
needs_cpu = pytest.mark.skipif(why_not["cpu"] is not None, reason=f"no cpu cgroup: {why_not['cpu']}")


def test_a_timeout_ends_the_whole_tree(rig: Rig, script: Script) -> None:
    attempt = rig.submit(script(DEAF), timeout=0.2)
    end = rig.end_of(attempt)
    assert (end.reason, end.state, end.signal) == (Reason.TIMED_OUT, State.FAILED, signal.SIGKILL)
    assert "timeout of 0.2 s" in end.message
    assert "SIGKILL" in end.message
    assert alive(attempt.uuid) == []


def test_a_program_may_clean_up_at_its_timeout(make_rig: MakeRig, script: Script) -> None:
    text = "#!/bin/sh\ntrap 'echo cleaned; exit 0' TERM\necho ready\nwhile :; do sleep 0.01; done"
    end, output = make_rig(kill_grace=1000).run(script(text), timeout=1)
    assert (end.reason, end.exit_code, end.state) == (Reason.TIMED_OUT, 0, State.FAILED)
    assert output == b"ready\ncleaned\n"


@pytest.mark.parametrize("timeout", [1000.0, 1e12, float("inf")])
def test_a_program_that_ends_before_keeps_its_own_end(rig: Rig, timeout: float) -> None:
    end, _ = rig.run("/bin/sh -c 'exit 3'", timeout=timeout)
    assert (end.reason, end.exit_code) == (Reason.EXITED, 3)


def test_a_timeout_is_no_reason_for_what_is_left_behind(make_rig: MakeRig, script: Script) -> None:
    """The program ends by itself; what it leaves behind outlives the timeout, within the grace."""
    rig = make_rig(kill_grace=2)
    end, _ = rig.run(script("#!/bin/sh\nsetsid sh -c 'trap \"\" TERM; sleep 1000 & wait; wait' &\nexit 0"), timeout=1)
    assert (end.reason, end.exit_code) == (Reason.EXITED, 0)


def test_a_cancel_before_the_timeout_stays_a_cancel(make_rig: MakeRig, script: Script) -> None:
    rig = make_rig(kill_grace=1.5)
    attempt = rig.submit(script(DEAF), timeout=1)
    until(lambda: alive(attempt.uuid))
    rig.cancel(attempt)
    assert rig.end_of(attempt).reason in (Reason.CANCELLED, Reason.TIMED_OUT)  # the latter on a very slow machine


def test_a_timeout_comes_though_the_worker_is_stopped(tmp_path: Path) -> None:
    worker, uuid, _ = start_worker(tmp_path / "data", 0.1, "/bin/sh -c 'echo ready; sleep 1000'", timeout=1)
    worker.send_signal(signal.SIGSTOP)
    until(lambda: not alive(uuid))
    worker.send_signal(signal.SIGCONT)
    close(worker)


def test_a_timeout_comes_though_the_shim_is_stopped(make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saltant.worker.running._LATE", 0.1)
    rig = make_rig(heartbeat_seconds=0.1, kill_grace=0.1)
    attempt = rig.submit("/bin/sleep 1000", timeout=3)
    until(lambda: alive(attempt.uuid))
    kill(shim_of(attempt.uuid), signal.SIGSTOP)
    end = rig.end_of(attempt)
    assert end.reason is Reason.TIMED_OUT
    assert alive(attempt.uuid) == []
    assert rig.run("/bin/true")[0].exit_code == 0


def test_what_ends_late_is_forced_only_after_its_limit() -> None:
    class Endable:
        forced = 0

        def end(self, grace: float) -> None:
            raise AssertionError

        def force(self) -> None:
            self.forced += 1

    process, running = Endable(), Running(Attempt(uuid4(), 1))
    running.attach(process, within=1000)
    running.check()
    assert (process.forced, running.reason) == (0, None)
    running.attach(process, within=-1000)
    running.check()
    assert (process.forced, running.reason) == (1, Reason.TIMED_OUT)


def hold(mib: int, then: str = "") -> str:
    return f"{PYTHON} -c 'import os, time; x = b\"x\" * ({mib} << 20); {then}'"


def test_peak_memory_of_a_short_program_is_known_where_it_is_large(rig: Rig) -> None:
    peak = rig.run(hold(200))[0].peak_memory
    assert peak is not None
    assert 200 * MIB < peak < 300 * MIB


def test_peak_memory_of_a_short_small_program_is_not_its_shims(rig: Rig) -> None:
    peak = rig.run("/bin/true")[0].peak_memory
    assert peak is None or peak < 4 * MIB  # known on a slow machine only


def test_peak_memory_of_a_longer_small_program(rig: Rig) -> None:
    peak = rig.run("/bin/sleep 0.4")[0].peak_memory
    assert peak is not None
    assert peak < 4 * MIB


def test_peak_memory_of_a_tree_counts_shared_pages_once(rig: Rig) -> None:
    attempt = rig.submit(hold(100, '[os.fork() for _ in range(2)]; print("ready", flush=True); time.sleep(1000)'))
    rig.said(attempt, times=4)
    until(lambda: len(alive(attempt.uuid)) == 4)
    end_after_a_look(rig, attempt)
    peak = rig.server.ends[attempt].peak_memory
    assert peak is not None
    assert 100 * MIB < peak < 200 * MIB


def test_peak_memory_of_a_tree_is_that_of_all_together(rig: Rig, script: Script) -> None:
    child = hold(60, 'print("ready", flush=True); time.sleep(1000)')
    attempt = rig.submit(script(f"#!/bin/sh\n{child} & {child} & {child} & wait"))
    rig.said(attempt, times=3)
    end_after_a_look(rig, attempt)
    peak = rig.server.ends[attempt].peak_memory
    assert peak is not None
    assert 180 * MIB < peak < 300 * MIB


def end_after_a_look(rig: Rig, attempt: Attempt) -> None:
    """End it when its shim has looked again: it slept before and does after."""
    shim = shim_of(attempt.uuid)

    def switches() -> int:
        status = Path(f"/proc/{shim}/status").read_text()
        return int(status.split("nonvoluntary")[0].rsplit("voluntary_ctxt_switches:", 1)[1])

    before = switches()
    until(lambda: switches() >= before + 2)
    rig.cancel(attempt)
    rig.end_of(attempt)


@needs_memory
def test_a_program_over_its_memory_is_killed_and_says_so(rig: Rig) -> None:
    end, _ = rig.run(hold(200), memory=100 * MIB)
    assert (end.reason, end.state, end.signal) == (Reason.OUT_OF_MEMORY, State.FAILED, signal.SIGKILL)
    assert "100 MiB" in end.message
    assert end.peak_memory is not None
    assert 90 * MIB < end.peak_memory <= 100 * MIB


@needs_memory
def test_a_limit_is_the_whole_trees(rig: Rig, script: Script) -> None:
    child = hold(60, "time.sleep(1)")
    end, _ = rig.run(script(f"#!/bin/sh\n{child} & a=$!; {child} & b=$!; wait $a && wait $b"), memory=100 * MIB)
    assert end.reason is Reason.OUT_OF_MEMORY


@needs_memory
def test_a_program_within_its_memory_is_well(rig: Rig) -> None:
    end, _ = rig.run(hold(60), memory=500 * MIB)
    assert (end.reason, end.exit_code) == (Reason.EXITED, 0)
    assert end.peak_memory is not None
    assert 60 * MIB < end.peak_memory < 150 * MIB


@needs_memory
@pytest.mark.parametrize("memory", [1, 1 << 62])
def test_extreme_memory_limits(rig: Rig, memory: int) -> None:
    assert rig.run("/bin/true", memory=memory)[0].reason is (Reason.OUT_OF_MEMORY if memory == 1 else Reason.EXITED)


@needs_cpu
def test_processor_time_is_limited(rig: Rig, script: Script) -> None:
    burn = script("import time\nend = time.monotonic() + 2\nwhile time.monotonic() < end: pass", "burn")
    end, _ = rig.run(script(f"#!/bin/sh\n{PYTHON} {burn} & {PYTHON} {burn} & wait"), cpus=0.2)
    assert end.exit_code == 0
    assert end.cpu_seconds is not None
    assert end.cpu_seconds < 1.2  # of four


@needs_cpu
@needs_memory
def test_a_limited_job_is_ended_as_any_other_and_leaves_no_cgroup(rig: Rig, script: Script) -> None:
    attempt = rig.submit(script(DEAF), memory=100 * MIB, cpus=1e9, timeout=1000)
    until(lambda: len(alive(attempt.uuid)) >= 4)
    cgroups = cgroups_of(alive(attempt.uuid)[0])
    assert len([each for each in cgroups if str(attempt.uuid) in each]) in (1, 2)
    rig.cancel(attempt)
    assert rig.end_of(attempt).reason is Reason.CANCELLED
    assert alive(attempt.uuid) == []
    assert left_over(attempt) == []


@needs_memory
def test_what_a_killed_worker_left_is_swept(tmp_path: Path) -> None:
    cgroups, other = Cgroups(tmp_path), Cgroups(tmp_path / "other")
    name, others = str(uuid4()), str(uuid4())
    cgroups.make(name, MIB, None)
    kept = other.make(others, MIB, None)
    try:
        Cgroups(tmp_path).sweep()
        assert [folder.exists() for folder in kept.folders] == [True]
        assert not list(kept.folders[0].parent.glob(f"*{name}"))
    finally:
        kept.remove()


def cgroups_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cgroup").read_text().splitlines()


def left_over(attempt: Attempt) -> list[Path]:
    return [path for path in Path("/sys/fs/cgroup").rglob(f"*{attempt.uuid}*") if path.is_dir()]


@needs_memory
def test_a_killed_shim_of_a_limited_job(rig: Rig, script: Script) -> None:
    attempt = rig.submit(script(DEAF), memory=100 * MIB)
    until(lambda: len(alive(attempt.uuid)) >= 4)
    launcher = rig.launcher.pid
    assert launcher is not None
    shim = shim_of(attempt.uuid)
    kill(launcher)
    kill(shim)
    assert rig.end_of(attempt).reason is Reason.LOST
    assert alive(attempt.uuid) == []
    assert left_over(attempt) == []


def test_a_worker_that_cannot_limit_refuses_before_the_start(make_rig: MakeRig, tmp_path: Path) -> None:
    places = {"memory": "it may not. Start it so.", "cpu": "it may not. Start it so."}
    rig = make_rig(cgroups=Cgroups(tmp_path, dict(places)))
    for limits in ({"memory": MIB}, {"cpus": 0.5}):
        attempt = rig.submit("/bin/echo ran", **limits)
        end = rig.end_of(attempt)
        assert (end.reason, end.started) == (Reason.WORKER_ERROR, None)
        assert "cannot limit" in end.message
        assert "Start it so." in end.message
        assert not rig.folders.of(attempt).stdout.exists()
    assert rig.run("/bin/true")[0].exit_code == 0
