"""Folders: what is made, who owns it, and that it goes again."""

import logging
import os
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from saltant.jobs import Attempt
from saltant.reasons import Reason
from saltant.worker.folders import WorkerFolders
from saltant.worker.removal import remove_tree
from saltant.worker.run_as import RunAs
from tests.unit.worker.rig import Rig, alive, until

MakeRig = Callable[..., Rig]
Script = Callable[..., str]

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def test_a_tree_of_any_shape_is_removed_and_nothing_else(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("x")
    tree = tmp_path / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "link").symlink_to(outside)
    (tree / "a" / "link").symlink_to(outside / "kept")
    (tree / "a" / "dangling").symlink_to("/no/such")
    os.link(outside / "kept", tree / "hard")
    os.mkfifo(tree / "a" / "fifo")
    (tree / "-rf *\n\udcff").mkdir()
    (tree / "a" / "b").chmod(0)
    (tree / "a").chmod(0o500)
    tree.chmod(0)
    remove_tree(tree)
    assert not tree.exists()
    assert (outside / "kept").read_text() == "x"
    remove_tree(tree)


def test_a_link_in_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    with pytest.raises(OSError, match=r".*"):
        remove_tree(tmp_path / "link")
    assert (tmp_path / "kept" / "file").exists()


def test_folders_nested_deeper_than_a_path_can_be(rig: Rig, script: Script) -> None:
    text = "import os\nfor _ in range(3000):\n os.mkdir('d' * 20); os.chdir('d' * 20)\nopen('file', 'w').write('x')"
    end, _ = rig.run(f"/usr/bin/env python3 {script(text)}")
    if end.reason is Reason.EXITED:
        assert end.exit_code == 0, end
    assert list(rig.folders.work.iterdir()) == []


def test_what_a_job_does_to_its_folder_does_not_hold_it(rig: Rig, script: Script) -> None:
    end, _ = rig.run(script("#!/bin/sh\nmkdir -p a/b; touch a/b/c; mkfifo p; ln -s / root; chmod 0 a/b a .\n"))
    assert end.exit_code == 0
    assert list(rig.folders.work.iterdir()) == []
    end, _ = rig.run(script("#!/bin/sh\nrmdir $PWD\n"))
    assert end.exit_code == 0


@root_only
def test_what_is_mounted_is_not_removed(
    rig: Rig, tmp_path: Path, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").touch()
    if subprocess.run(["/bin/mount", "--bind", kept, kept], check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    subprocess.run(["/bin/umount", kept], check=True)
    attempt = rig.submit(script(f"#!/bin/sh\nmkdir m && mount --bind {kept} m"))
    with caplog.at_level(logging.WARNING, "saltant.worker"):
        assert rig.end_of(attempt).exit_code == 0
    work = rig.folders.of(attempt).work
    try:
        assert (kept / "file").exists()
        assert f"{attempt.uuid}: its working folder" in caplog.text
    finally:
        subprocess.run(["/bin/umount", work / "m"], check=True)


def test_folders_are_private(tmp_path: Path) -> None:
    folders = WorkerFolders(tmp_path / "data")
    folders.make()
    for folder in (folders.data, folders.work, folders.logs, folders.results, folders.arguments):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_sweep_removes_what_a_killed_worker_left(tmp_path: Path) -> None:
    folders = WorkerFolders(tmp_path / "data")
    folders.make()
    attempt = Attempt(uuid4(), 1)
    prepared = folders.prepare(attempt)
    (prepared.work / "file").touch()
    folders.write_arguments(attempt, "{}")
    folders.sweep()
    assert list(folders.work.iterdir()) == list(folders.arguments.iterdir()) == []
    assert prepared.logs.exists()
    assert prepared.results.exists()


def test_an_attempt_finds_new_folders_and_the_one_before_is_kept(rig: Rig, script: Script) -> None:
    program = script(
        """#!/bin/sh
ls "$JOB_LOGS_DIRECTORY" "$JOB_RESULTS_DIRECTORY" | grep -cv -e : -e '^$' -e std
cd "$JOB_RESULTS_DIRECTORY"; echo "$1" >said; mkdir -p closed/inner; mkfifo pipe; ln -s /etc link; chmod 0 closed said .
cd "$JOB_LOGS_DIRECTORY"; rm *-stderr.txt; ln -s /etc/passwd *-stderr.txt; chmod 0 .
"""
    )
    uuid = uuid4()
    for number in (1, 2, 3):
        attempt = rig.server.submit(f"{program} {number}", uuid=uuid, number=number)
        assert rig.end_of(attempt).exit_code == 0
    for number, name in ((1, f"{uuid}.1"), (2, f"{uuid}.2"), (3, f"{uuid}")):
        for folder in (rig.folders.results / name, rig.folders.logs / name):
            folder.chmod(0o700)
        (rig.folders.results / name / "said").chmod(0o600)
        assert (rig.folders.results / name / "said").read_text() == f"{number}\n"
        assert (rig.folders.results / name / "link").is_symlink()
        assert (rig.folders.logs / name / f"{uuid}-stdout.txt").read_text() == "0\n"
    assert len(list(rig.folders.logs.iterdir())) == len(list(rig.folders.results.iterdir())) == 3


def test_an_attempt_that_could_not_start_has_folders_of_its_own(rig: Rig) -> None:
    uuid = uuid4()
    for number, missing in ((1, []), (2, ["NO_SUCH_VARIABLE"]), (3, [])):
        attempt = rig.server.submit(f"/bin/echo {number}", uuid=uuid, number=number, environment_variables=missing)
        rig.end_of(attempt)
    logs = rig.folders.logs
    assert (logs / f"{uuid}.1" / f"{uuid}-stdout.txt").read_text() == "1\n"
    assert list((logs / f"{uuid}.2").iterdir()) == []
    assert (logs / str(uuid) / f"{uuid}-stdout.txt").read_text() == "3\n"


@pytest.mark.parametrize("what", ["link", "fifo", "file"])
def test_what_is_no_folder_is_moved_aside_too(rig: Rig, tmp_path: Path, what: str) -> None:
    attempt = Attempt(uuid4(), 2)
    folders = rig.folders.of(attempt)
    for path in (folders.logs, folders.results, folders.results.with_name(f"{attempt.uuid}.1")):
        if what == "link":
            path.symlink_to(tmp_path)
        elif what == "fifo":
            os.mkfifo(path)
        else:
            path.touch()
    rig.folders.prepare(attempt)
    assert stat.S_ISDIR(folders.results.lstat().st_mode)
    assert sorted(path.name for path in rig.folders.results.iterdir()) == [
        str(attempt.uuid),
        f"{attempt.uuid}.1",
        f"{attempt.uuid}.1+",
    ]


def test_only_root_can_choose_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(PermissionError, match="Only root"):
        RunAs.named("nobody")


def test_an_unknown_user_is_refused() -> None:
    with pytest.raises(ValueError, match="no user named 'no-such-user'"):
        RunAs.named("no-such-user")


@pytest.fixture
def passable() -> Iterator[Path]:
    """A folder that every user can reach, unlike pytest's own."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@root_only
def test_jobs_run_as_another_user_and_reach_only_what_is_theirs(make_rig: MakeRig, passable: Path) -> None:
    user = RunAs.named("nobody")
    rig = make_rig(passable / "data", run_as=user)
    secret = rig.folders.data / "admin-token"
    secret.touch(0o600)
    secret.write_text("secret")
    program = passable / "program"
    program.write_text(
        f"""#!/bin/sh
id -u; id -g; id -G; grep -E '^(CapPrm|CapEff|CapBnd|NoNewPrivs)' /proc/self/status
touch here "$JOB_RESULTS_DIRECTORY/result" "$JOB_LOGS_DIRECTORY/log" && echo writes
echo to-dev-stdout >>/dev/stdout
stat -c '%a %U' "$2"; cat "$2"; echo
cat {secret}; cat /proc/$PPID/environ
ls {rig.folders.data} {rig.folders.work} {rig.folders.logs} {rig.folders.arguments}
sleep 1000 & setsid sleep 1000 & echo ready; wait
"""
    )
    program.chmod(0o755)
    attempt = rig.submit(str(program), {"a": 1}, json_file_option="--file")
    rig.said(attempt)
    rig.cancel(attempt)
    assert rig.end_of(attempt).reason is Reason.CANCELLED
    until(lambda: not alive(attempt.uuid))
    folders = rig.folders.of(attempt)
    uid, gid, groups, prm, eff, _, privs, writes, dev, mode, text, ready = folders.stdout.read_text().splitlines()
    assert (int(uid), int(gid)) == (user.uid, user.gid)
    assert set(map(int, groups.split())) == set(user.groups)
    assert [int(line.split()[1], 16) for line in (prm, eff)] == [0, 0]
    assert privs.split()[1] == "1"
    assert (writes, dev, mode, text, ready) == ("writes", "to-dev-stdout", "600 nobody", '{"a": 1}', "ready")
    assert folders.stderr.read_text().count("ermission denied") == 6
    assert folders.stdout.stat().st_uid == (folders.results / "result").stat().st_uid == user.uid
    assert not folders.work.exists()


@root_only
def test_a_data_folder_that_the_jobs_user_cannot_reach_is_refused(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(0o700)
    with pytest.raises(PermissionError, match="cannot pass through"):
        WorkerFolders(tmp_path / "closed" / "data", RunAs.named("nobody")).make()


@root_only
def test_a_program_that_only_root_may_execute(make_rig: MakeRig, passable: Path) -> None:
    program = passable / "mine"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    rig = make_rig(passable / "data", run_as=RunAs.named("nobody"), values={"PATH": "/root/none:/bin"})
    assert rig.run(str(program))[0].reason is Reason.NOT_EXECUTABLE
    assert rig.run("no-such-command")[0].reason is Reason.COMMAND_NOT_FOUND
    assert rig.run("true")[0].exit_code == 0
