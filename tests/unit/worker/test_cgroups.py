"""Where cgroups may be made: the machine's own files, and made-up ones of other machines."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from saltant.worker.cgroup_places import LEAF, Place, find_places
from saltant.worker.cgroups import CannotLimit, Cgroup, Cgroups, Usage

V2 = "30 1 0:26 / {root} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = "31 1 0:27 {shown} {root} rw,relatime shared:9 - cgroup cgroup rw,memory\n"


def machine(tmp_path: Path, mountinfo: str, cgroup: str) -> Path:
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "mountinfo").write_text(mountinfo)
    (proc / "cgroup").write_text(cgroup)
    return proc


def version_2(tmp_path: Path, *, controllers: str = "cpu memory pids", subtree: str = "") -> tuple[Path, Path]:
    root = tmp_path / "cgroup"
    own = root / "user.slice" / "own"
    own.mkdir(parents=True)
    (own / "cgroup.controllers").write_text(controllers)
    (own / "cgroup.subtree_control").write_text(subtree)
    (own / "cgroup.procs").write_text("")
    return machine(tmp_path, V2.format(root=root), "0::/user.slice/own\n"), own


def test_version_2_hands_controllers_down(tmp_path: Path) -> None:
    proc, own = version_2(tmp_path)
    assert find_places(proc=proc) == {"memory": Place(2, own), "cpu": Place(2, own)}
    assert (own / "cgroup.subtree_control").read_text() == "+cpu"  # the last that was written


def test_version_2_as_it_is_found_when_handed_down_before(tmp_path: Path) -> None:
    proc, own = version_2(tmp_path, subtree="cpu memory")
    (own / LEAF).mkdir()
    (proc / "cgroup").write_text(f"0::/user.slice/own/{LEAF}\n")
    assert find_places(proc=proc) == {"memory": Place(2, own), "cpu": Place(2, own)}
    assert (own / "cgroup.subtree_control").read_text() == "cpu memory"


def test_a_controller_that_is_not_given(tmp_path: Path) -> None:
    proc, own = version_2(tmp_path, controllers="memory pids")
    places = find_places(proc=proc)
    assert places["memory"] == Place(2, own)
    assert "not given the controller 'cpu'" in str(places["cpu"])
    assert "Delegate=yes" in str(places["cpu"])


def test_version_1_in_a_container_that_sees_a_part(tmp_path: Path) -> None:
    root = tmp_path / "memory"
    (root / "below").mkdir(parents=True)
    proc = machine(tmp_path, V1.format(shown="/docker/abc", root=root), "4:memory:/docker/abc/below\n0::/\n")
    places = find_places(proc=proc)
    assert places["memory"] == Place(1, root / "below")
    assert "no cgroups" in str(places["cpu"])


def test_a_cgroup_outside_of_what_is_seen(tmp_path: Path) -> None:
    proc = machine(tmp_path, V2.format(root=tmp_path), "0::/../elsewhere\n")
    assert "no cgroups" in str(find_places(proc=proc)["memory"])


def test_a_machine_without_cgroups(tmp_path: Path) -> None:
    assert "no cgroups" in str(find_places(proc=machine(tmp_path, "", ""))["memory"])
    assert "cannot be found" in str(find_places(proc=tmp_path / "none")["cpu"])


def test_a_limit_file_that_is_not_there_is_a_refusal(tmp_path: Path) -> None:
    cgroups = Cgroups(tmp_path, {"memory": Place(2, tmp_path), "cpu": Place(2, tmp_path)})
    with pytest.raises(CannotLimit, match=r"cannot limit memory to 1.+No such file"):
        cgroups.make("job", 1, None)
    with pytest.raises(CannotLimit, match="cannot limit processor time"):
        cgroups.make("job", None, 1)
    assert list(tmp_path.iterdir()) == []


def test_what_version_2_counted(tmp_path: Path) -> None:
    (tmp_path / "memory.peak").write_text("4096\n")
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 7\noom 2\noom_kill 1\noom_group_kill 1\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 1500000\nuser_usec 1000000\n")
    assert Cgroup([tmp_path]).usage() == Usage(4096, 1.5, 1)


def test_what_nobody_counted_is_not_known(tmp_path: Path) -> None:
    assert Cgroup([tmp_path]).usage() == Usage(None, None, 0)


# What follows uses the real version 2, with a controller that is free where memory is still version 1's.

CHILD = """
import sys
from pathlib import Path
from saltant.worker.cgroup_places import find_places
own = Path(sys.argv[1])
(own / "cgroup.procs").write_text("0")
print(find_places((sys.argv[2],))[sys.argv[2]])
print(next(line for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::")))
"""


@pytest.fixture
def delegated() -> Iterator[tuple[Path, str]]:
    """A real cgroup of version 2 that is given a controller, and that controller's name."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    root = next((Path(words[1]) for words in mounts if words[2] == "cgroup2"), None)
    if root is None:
        pytest.skip("no cgroup2 is mounted")
    own = root / f"saltant-test-{uuid4()}"
    try:
        controller = (root / "cgroup.controllers").read_text().split()[0]
        handed_down = (root / "cgroup.subtree_control").read_text().split()
        (root / "cgroup.subtree_control").write_text(f"+{controller}")
        own.mkdir()
    except (OSError, IndexError) as error:
        pytest.skip(f"no cgroup of version 2 can be made: {error}")
    yield own, controller
    Cgroup([own]).remove()
    assert not own.exists()
    if controller not in handed_down:
        with suppress(OSError):  # somebody uses it by now
            (root / "cgroup.subtree_control").write_text(f"-{controller}")


def run_in(own: Path, controller: str) -> tuple[str, str]:
    """What a worker that starts in the cgroup `own` finds, and the cgroup that it is in afterwards."""
    words = [sys.executable, "-c", CHILD, str(own), controller]
    child = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    found, cgroup = child.stdout.splitlines()
    return found, cgroup


def test_a_worker_alone_in_its_cgroup_moves_into_a_leaf(delegated: tuple[Path, str]) -> None:
    own, controller = delegated
    said, cgroup = run_in(own, controller)
    assert said.startswith("Place(version=2")
    assert cgroup.endswith(f"/{own.name}/{LEAF}")
    assert (own / "cgroup.subtree_control").read_text().split() == [controller]


def test_a_worker_that_is_not_alone_moves_nobody(delegated: tuple[Path, str]) -> None:
    own, controller = delegated
    with subprocess.Popen(["/bin/sleep", "1000"]) as other:
        (own / "cgroup.procs").write_text(str(other.pid))
        said, cgroup = run_in(own, controller)
        other.kill()
    assert "holds other processes" in said
    assert cgroup.endswith(f"/{own.name}")


def test_a_cgroup_is_removed_with_all_that_is_in_it(delegated: tuple[Path, str]) -> None:
    own, _ = delegated
    (own / "a" / "b").mkdir(parents=True)
    with subprocess.Popen(["/bin/sleep", "1000"]) as sleeper:
        (own / "a" / "b" / "cgroup.procs").write_text(str(sleeper.pid))
        Cgroup([own / "a"]).remove()
        assert sleeper.wait(30) == -9
    assert not (own / "a").exists()
