"""Where this process may make cgroups for its jobs."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path

LEAF = "saltant-worker"
"""The cgroup into which a worker moves itself, to have its own free for its jobs'."""

CONTROLLERS = ("memory", "cpu")

_ADVICE = (
    "Start it in a cgroup of its own that it may manage: as a systemd service with Delegate=yes, or by"
    " `systemd-run --scope -p Delegate=yes` (with --user for an ordinary user); in a container, with a writable"
    " /sys/fs/cgroup."
)


@dataclass(frozen=True, slots=True)
class Place:
    """A cgroup below which jobs' cgroups have a controller."""

    version: int
    folder: Path


def find_places(controllers: tuple[str, ...] = CONTROLLERS, proc: Path = Path("/proc/self")) -> dict[str, Place | str]:
    """For each controller where it can be used, or a sentence that says why not.

    To be called before the worker has children: it may move this process into a cgroup below its own.
    """
    try:
        own = own_cgroups(proc)
    except OSError as error:
        return dict.fromkeys(controllers, f"its cgroups cannot be found ({error}).")
    return {controller: _find(controller, own) for controller in controllers}


def _find(controller: str, own: dict[str, Path]) -> Place | str:
    if controller in own:
        return _writable(Place(1, own[controller]))
    if "" not in own:
        return f"this system has no cgroups for it. {_ADVICE}"
    base = own[""]
    if base.name == LEAF:
        base = base.parent  # a program that a worker started in its own leaf
    try:
        if controller not in (base / "cgroup.controllers").read_text().split():
            return f"its cgroup {base} is not given the controller {controller!r}. {_ADVICE}"
        place = _writable(Place(2, base))
        return place if isinstance(place, str) else _enable(controller, base)
    except OSError as error:
        return f"its cgroup {base} cannot be managed: {error.strerror}. {_ADVICE}"


def _writable(place: Place) -> Place | str:
    if os.access(place.folder, os.W_OK):
        return place
    return f"it may not make cgroups in {place.folder}. {_ADVICE}"


def _enable(controller: str, base: Path) -> Place | str:
    """Hand a controller down to the cgroups below."""
    control = base / "cgroup.subtree_control"
    if controller in control.read_text().split():
        return Place(2, base)
    try:
        control.write_text(f"+{controller}")
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        # Only a cgroup without processes can hand it down.
        if {int(pid) for pid in (base / "cgroup.procs").read_text().split()} != {os.getpid()}:
            return f"its cgroup {base} holds other processes as well. {_ADVICE}"
        (base / LEAF).mkdir(exist_ok=True)
        (base / LEAF / "cgroup.procs").write_text("0")
        control.write_text(f"+{controller}")
    return Place(2, base)


def own_cgroups(proc: Path) -> dict[str, Path]:
    """The folder of this process's cgroup in each hierarchy: by controller for version 1, by "" for version 2."""
    mounts: dict[str, tuple[str, str]] = {}
    for line in (proc / "mountinfo").read_text().splitlines():
        words, _, rest = line.partition(" - ")
        kind, _, options = rest.split(" ", 2)
        root, point = (word.encode().decode("unicode_escape") for word in words.split(" ")[3:5])
        if kind == "cgroup2":
            mounts.setdefault("", (root, point))
        elif kind == "cgroup":
            for option in options.split(","):
                mounts.setdefault(option, (root, point))
    own = {}
    for line in (proc / "cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            folder = _folder(path, *mounts[name]) if name in mounts else None
            if folder is not None:
                own[name] = folder
    return own


def _folder(path: str, root: str, point: str) -> Path | None:
    """Where the cgroup `path` is, in a mount at `point` that shows `root`; None if it does not show it."""
    try:
        below = Path(path).relative_to(root)
    except ValueError:
        return None
    return None if ".." in below.parts else Path(point) / below
