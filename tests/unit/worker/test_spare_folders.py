"""Working folders that are used again: only those that are as good as new."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from saltant.worker import spare_folders
from saltant.worker.run_as import RunAs
from saltant.worker.spare_folders import SpareFolders


@pytest.fixture
def spare(tmp_path: Path) -> SpareFolders:
    (tmp_path / "spare").mkdir()
    return SpareFolders(tmp_path / "spare", None)


def folder_in(place: Path, name: str = "work") -> Path:
    folder = place / name
    folder.mkdir(mode=0o700)
    return folder


def test_an_empty_one_is_used_again(spare: SpareFolders, tmp_path: Path) -> None:
    folder = folder_in(tmp_path)
    number = folder.stat().st_ino
    assert spare.keep(folder)
    assert not folder.exists()
    assert spare.give(tmp_path / "next")
    assert (tmp_path / "next").stat().st_ino == number
    assert not spare.give(tmp_path / "another")
    assert list(spare.place.iterdir()) == []


def larger(folder: Path) -> None:
    for number in range(3000):
        (folder / f"{number:0200}").touch()
    for file in folder.iterdir():
        file.unlink()


def replaced_by_a_link(folder: Path) -> None:
    folder.rmdir()
    folder.symlink_to("/tmp")


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "file").touch(),
        lambda folder: (folder / "folder").mkdir(),
        lambda folder: folder.chmod(0o755),
        lambda folder: folder.chmod(0o1700),
        lambda folder: os.setxattr(folder, "user.note", b"mine"),
        lambda folder: folder.rmdir(),
        larger,
        replaced_by_a_link,
    ],
    ids=["a file", "a folder", "mode", "sticky", "attribute", "gone", "large", "link"],
)
def test_what_is_not_as_new_is_left_to_be_removed(
    spare: SpareFolders, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = folder_in(tmp_path)
    try:
        change(folder)
    except OSError as error:
        pytest.skip(f"this file system cannot: {error}")
    if change is larger and folder.stat().st_size <= spare_folders.LARGEST:
        pytest.skip("folders do not grow on this file system")
    assert not spare.keep(folder)
    assert not spare.give(tmp_path / "next")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_one_that_belongs_to_somebody_else_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / "spare").mkdir()
    nobody = RunAs.named("nobody")
    spare = SpareFolders(tmp_path / "spare", nobody)
    folder = folder_in(tmp_path)
    assert not spare.keep(folder)
    os.chown(folder, nobody.uid, nobody.gid)
    assert spare.keep(folder)


def test_only_some_are_kept(spare: SpareFolders, tmp_path: Path) -> None:
    kept = [spare.keep(folder_in(tmp_path, str(number))) for number in range(spare_folders.MOST + 2)]
    assert kept == [True] * spare_folders.MOST + [False] * 2


def test_where_it_cannot_be_moved_there_is_none(spare: SpareFolders, tmp_path: Path) -> None:
    assert spare.keep(folder_in(tmp_path))
    taken = folder_in(tmp_path, "taken")
    (taken / "file").touch()
    assert not spare.give(taken)
    assert (taken / "file").exists()
    assert list(spare.place.iterdir()) == []
