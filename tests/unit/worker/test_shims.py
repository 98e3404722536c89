"""Shims that serve one job after another."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from saltant.reasons import Reason
from saltant.worker import launch, processes
from saltant.worker.frames import ENDED, ORDER, SIZE, Report, order_end
from saltant.worker.launch import Launch, Launcher, Process
from saltant.worker.program import Program
from tests.unit.worker.rig import Rig, alive, kill, shim_of, until

MakeRig = Callable[..., Rig]


def shims(rig: Rig) -> list[int]:
    assert rig.launcher.pid is not None
    return processes.children(rig.launcher.pid)


def test_one_shim_serves_all_that_run_one_after_another(make_rig: MakeRig) -> None:
    rig = make_rig(slots=1)
    rig.run("/bin/true")
    (first,) = shims(rig)
    for command, code in [("/bin/true", 0), ("/bin/sh -c 'exit 4'", 4), ("/no/such", None), ("/bin/true", 0)]:
        assert rig.run(command)[0].exit_code == code
    assert rig.run("/bin/sleep 1000", timeout=0.05)[0].reason is Reason.TIMED_OUT
    assert rig.run("/bin/sh -c 'sleep 1000 & exit 5'")[0].exit_code == 5
    assert shims(rig) == [first]


def test_nothing_of_one_job_is_in_the_next(make_rig: MakeRig) -> None:
    rig = make_rig(slots=1)
    rig.run(
        "/bin/sh -c 'umask 0; cd /tmp; ulimit -n 20; nice sleep 0.2; i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done'"
    )
    end, output = rig.run("/bin/sh -c 'umask; ulimit -n; ls -l /proc/self/fd | wc -l'")
    umask, files, fds = output.split()
    assert (umask, files != b"20", fds) == (b"0077", True, b"5")
    assert end.cpu_seconds is not None
    assert end.cpu_seconds < 0.05
    assert end.peak_memory is None or end.peak_memory < 8 << 20


def test_a_shim_killed_between_two_jobs_is_nobodys_trouble(make_rig: MakeRig) -> None:
    rig = make_rig(slots=1)
    for _ in range(5):
        rig.run("/bin/true")
        (shim,) = shims(rig)
        kill(shim)
        until(lambda: not shims(rig))
        assert rig.run("/bin/true")[0].exit_code == 0


def test_idle_shims_go_with_their_worker(make_rig: MakeRig) -> None:
    rig = make_rig(slots=4)
    attempts = [rig.submit("/bin/sleep 0.2") for _ in range(4)]
    for attempt in attempts:
        rig.end_of(attempt)
    idle = shims(rig)
    assert idle
    rig.worker.stop(0)
    until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in idle))  # noqa: PTH110


def test_idle_shims_are_few_and_none_serves_for_ever(make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_IDLE", 2)
    monkeypatch.setattr(launch, "_JOBS", 3)
    rig = make_rig(slots=6)
    for attempt in [rig.submit("/bin/sleep 0.2") for _ in range(6)]:
        rig.end_of(attempt)
    until(lambda: len(shims(rig)) <= 2)
    before = set(shims(rig))
    for _ in range(8):
        rig.run("/bin/true")
    until(lambda: not before & set(shims(rig)))


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    launcher = Launcher(tmp_path)
    yield launcher
    launcher.close()


def begin(launcher: Launcher, tmp_path: Path, *words: str) -> Process:
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        mark = {b"JOB_UUID": str(uuid4()).encode(), b"JOB_LOGS_DIRECTORY": os.fsencode(tmp_path / "logs")}
        return launcher.start(Launch([word.encode() for word in words], mark, tmp_path, null, null))
    finally:
        os.close(null)


def test_an_order_that_comes_late_does_not_hit_the_next_job(launcher: Launcher, tmp_path: Path) -> None:
    with begin(launcher, tmp_path, "/bin/true") as first:
        assert first.wait().status == 0
    first._link.order(order_end(1, 0))  # as if it had been on its way
    with begin(launcher, tmp_path, "/bin/sleep", "0.3") as second:
        assert second._link is first._link
        first._link.order(order_end(1, 0))
        first.end(0)
        first.force()
        assert (second.wait().status, second.wait().signalled) == (0, False)


def test_a_shim_that_force_was_used_on_serves_nobody_else(launcher: Launcher, tmp_path: Path) -> None:
    with begin(launcher, tmp_path, "/bin/sleep", "1000") as process:
        process.force()
        assert process.wait().status is None
    with begin(launcher, tmp_path, "/bin/true") as other:
        assert other._link is not process._link
        assert other.wait().status == 0


def test_orders_at_once_make_it_only_sooner(launcher: Launcher, tmp_path: Path) -> None:
    with begin(launcher, tmp_path, "/bin/sh", "-c", "trap '' TERM; while :; do sleep 1000; done") as process:
        for grace in (1e300, 1000.0, 0.0, 50.0):
            process.end(grace)
        outcome = process.wait()
    assert outcome.signalled
    assert outcome.status in (signal.SIGKILL, signal.SIGTERM)


def test_a_report_and_an_order_are_of_fixed_size() -> None:
    report = Report(ENDED, 0, -1, 3, 1e9, 0.5, 1 << 62)
    assert len(report.pack()) == SIZE
    assert Report.unpack(report.pack()) == report
    assert len(order_end(2**32 - 1, float("inf"))) == ORDER.size


@pytest.mark.parametrize("user", [None, (0, 0, [0, 5]), (65534, 65534, [])])
def test_a_program_arrives_as_it_was_sent(user: tuple[int, int, list[int]] | None) -> None:
    environment = {b"A": b"", b"B": b"x=\n\xff"}
    sent = Program([b"", b"a b", b"\xff\n"], environment, b"/w", 1.5, 0o22, user, 2.5, [b"/c/1", b"/c/2"])
    got = Program.unpack(sent.pack())
    assert [getattr(got, name) for name in Program.__slots__] == [getattr(sent, name) for name in Program.__slots__]
    assert Program.unpack(Program([b"x"], {}, b"/", 0, 0).pack()).timeout is None


def test_a_job_that_kills_its_own_shim(make_rig: MakeRig) -> None:
    rig = make_rig(slots=1)
    attempt = rig.submit("/bin/sh -c 'echo ready; kill -9 $PPID; sleep 1000'")
    assert rig.end_of(attempt).reason is Reason.LOST
    assert alive(attempt.uuid) == []
    attempt = rig.submit("/bin/sleep 1000")
    until(lambda: alive(attempt.uuid))
    assert shim_of(attempt.uuid) in shims(rig)
