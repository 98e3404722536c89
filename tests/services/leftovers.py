"""What container engines of this test run left on the machine: counted when all of its tests are over."""

import os
from contextlib import suppress
from pathlib import Path

FOLDERS: list[Path] = []
"""Each engine's folder, and each one that containers ran in: what is left of them names it."""

KEPT: list[str] = []
"""What an engine still had when it was stopped."""


def left() -> list[str]:
    """Containers, networks and volumes that engines had when they stopped; processes, mounts, cgroups and folders."""
    found = list(KEPT)
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    for folder in FOLDERS:
        found += [f"the folder {folder}"] if folder.exists() else []
        found += [f"a mount: {line}" for line in mounts if str(folder) in line]
        found += [f"a cgroup: {path}" for path in Path("/sys/fs/cgroup").glob(f"**/{folder.name}")]
        found += _processes(os.fsencode(folder))
    return found


def _processes(mark: bytes) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (entry / "cmdline").read_bytes()
            if mark in words + (entry / "environ").read_bytes() and int(entry.name) != os.getpid():
                found.append(f"the process {entry.name}: {words.decode(errors='replace')}")
    return found
