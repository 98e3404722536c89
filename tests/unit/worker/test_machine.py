"""What a worker finds out about its machine."""

import os
from pathlib import Path

import pytest

from saltant.worker import machine
from saltant.worker.machine import find_gpus, this_machine, usable_cpus, usable_memory

SMI = """#!/bin/sh
echo 'GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-1)'
echo 'GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-2)'
echo '  MIG 1g.5gb     Device  0: (UUID: MIG-3)'
"""


@pytest.fixture
def cgroups(tmp_path: Path) -> Path:
    """A cgroup two levels below the root of version 2, as /proc shows it."""
    mount = tmp_path / "cgroup"
    own = mount / "slice" / "worker"
    own.mkdir(parents=True)
    for folder in (mount, mount / "slice", own):
        (folder / "cgroup.procs").touch()
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "mountinfo").write_text(f"30 20 0:26 / {mount} rw - cgroup2 cgroup2 rw\n")
    (proc / "cgroup").write_text("0::/slice/worker\n")
    return own


def test_this_machine_has_all_of_it() -> None:
    found = this_machine()
    assert found.host == os.uname().nodename
    assert found.version
    assert 0 < (found.cpus or 0) <= (os.cpu_count() or 0)
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < (found.memory or 0) <= total


def test_what_is_given_wins() -> None:
    found = this_machine(cpus=1.5, memory=4096)
    assert (found.cpus, found.memory) == (1.5, 4096)


def test_the_least_limit_of_the_cgroups_counts(cgroups: Path, tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       16 kB\n")
    proc = tmp_path / "proc"
    assert usable_memory(proc, meminfo) == 16384
    (cgroups / "memory.max").write_text("max\n")
    (cgroups.parent / "memory.max").write_text("8192\n")
    (cgroups / "cpu.max").write_text("max 100000\n")
    assert usable_memory(proc, meminfo) == 8192
    assert usable_cpus(proc) == len(os.sched_getaffinity(0))
    (cgroups.parent / "cpu.max").write_text("25000 100000\n")
    assert usable_cpus(proc) == 0.25
    assert usable_memory(tmp_path / "none", tmp_path / "none") is None


def test_gpus_are_told_by_name(tmp_path: Path) -> None:
    smi = tmp_path / "nvidia-smi"
    smi.write_text(SMI)
    smi.chmod(0o755)
    assert find_gpus([str(smi)]) == ["NVIDIA A100-SXM4-40GB"] * 2


def test_without_a_driver_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_gpus(["/no/such/nvidia-smi"]) == []
    assert find_gpus(["/bin/false"]) == []
    monkeypatch.setattr(machine, "_GPU_TIME", 0.05)
    assert find_gpus(["/bin/sleep", "1000"]) == []
