"""What jobs leave to hinder a backup, and archives that somebody made to do harm."""

import gzip
import hashlib
import io
import os
import shutil
import sqlite3
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from saltant.up import backup as backup_module
from saltant.up.archive import ArchiveError, Entry, digest_of_link, dump_manifest
from saltant.up.backup import make_backup
from saltant.up.folder import DataFolder
from saltant.up.restore import restore
from saltant.up.trees import Found, Maker, walk
from saltant.worker.removal import remove_tree


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    """A folder that can be backed up."""
    folder = tmp_path / "data"
    (folder / "results" / "job").mkdir(parents=True)
    with sqlite3.connect(folder / "saltant.sqlite3") as database:
        database.execute("CREATE TABLE x (a)")
    database.close()
    return DataFolder(folder)


class Evil:
    """Writes an archive whose manifest agrees with all that it holds."""

    def __init__(self) -> None:
        self.data = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.data, mode="w:gz", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self.entries: dict[str, Entry] = {}
        self.folder("logs")
        self.folder("results")

    def database(self, mode: int = 0o600) -> None:
        """One that is whole."""
        with sqlite3.connect(":memory:") as connection:
            connection.execute("CREATE TABLE x (a)")
            self.file("saltant.sqlite3", connection.serialize(), mode)
        connection.close()

    def file(self, name: str, data: bytes = b"", mode: int = 0o600, **pax: str) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.pax_headers = len(data), mode, pax
        self.tar.addfile(member, io.BytesIO(data))
        self.entries[pax.get("path", name)] = Entry("file", mode, len(data), hashlib.sha256(data).hexdigest())

    def folder(self, name: str, mode: int = 0o700) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.mode = tarfile.DIRTYPE, mode
        self.tar.addfile(member)
        self.entries[name] = Entry("folder", mode)

    def link(self, name: str, target: str) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.mode, member.linkname = tarfile.SYMTYPE, 0o777, target
        self.tar.addfile(member)
        self.entries[name] = Entry("link", 0o777, 0, digest_of_link(target))

    def write(self, path: Path) -> Path:
        text = dump_manifest(self.entries)
        member = tarfile.TarInfo("manifest.json")
        member.size = len(text)
        self.tar.addfile(member, io.BytesIO(text))
        self.tar.close()
        path.write_bytes(self.data.getvalue())
        return path


def through_links(evil: Evil) -> None:
    evil.folder("logs/a")
    evil.folder("logs/a/b")
    evil.link("logs/a/b/l", "../../../results")
    evil.link("logs/a/b/esc", "l/../../outside")


def through_a_link(evil: Evil) -> None:
    evil.link("logs/l", "../results")
    evil.link("logs/m", "l/x")


def below_a_link(evil: Evil) -> None:
    evil.link("logs/l", "../results")
    evil.link("logs/l/planted", "x")


def in_no_folder(evil: Evil) -> None:
    evil.file("results/none/x")


def a_tree_that_is_a_link(evil: Evil) -> None:
    evil.link("results", "logs")


def a_key_that_is_a_link(evil: Evil) -> None:
    evil.link("secret-key", "logs/x")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (through_links, "harmless link"),
        (through_a_link, "through another link"),
        (below_a_link, "in no folder"),
        (in_no_folder, "in no folder"),
        (a_tree_that_is_a_link, "harmless link"),
        (a_key_that_is_a_link, "harmless link"),
        (lambda evil: evil.file("results/x", mtime="1e30"), "of a time"),
        (lambda evil: evil.file("results/x", mtime="nan"), "of a time"),
        (lambda evil: evil.file("results/x", path="results/x\0y"), "which no backup"),
        (lambda evil: evil.file("results/x", size="-512"), "header"),
        (lambda evil: evil.file("results/x", comment="x" * 40_000), "header that is too long"),
        (lambda evil: evil.file("x" * 40_000), "header that is too long"),
        (lambda evil: evil.file("results/" + "x/" * 3000), "which no backup"),
        (lambda evil: evil.file("results/" + "x" * 300), "in no folder|File name too long"),
    ],
)
def test_what_leads_out_or_makes_no_sense_is_refused(tmp_path: Path, spoil: Callable[[Evil], None], said: str) -> None:
    evil = Evil()
    evil.database()
    spoil(evil)
    archive = evil.write(tmp_path / "evil.tar.gz")
    with pytest.raises(ArchiveError, match=said):
        restore(archive, DataFolder(tmp_path / "new"))
    assert [path.name for path in tmp_path.iterdir()] == ["evil.tar.gz"]


def test_even_unverified_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "outside")
    with Maker(tmp_path / "root") as maker:
        for name in ("link", "link/x"):
            with pytest.raises(NotADirectoryError):
                maker.at(name)
    assert list((tmp_path / "outside").iterdir()) == []


def member(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    header = tarfile.TarInfo(name)
    header.size, header.type = size, kind
    return header.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (member("manifest.json", 3 << 30), "manifest is larger"),
        (member("manifest.json", 3000) + b"[" * 3000, "manifest cannot be read"),
        (member("x", 3 << 30, tarfile.XHDTYPE), "header that is too long"),
        (member("x", 3 << 30, tarfile.GNUTYPE_LONGNAME), "header that is too long"),
        (member("x", 0, tarfile.XHDTYPE) * 3000, "cannot be read to its end|too long"),
        (member("logs/x", 3 << 30, tarfile.GNUTYPE_SPARSE), "header that no backup"),
    ],
)
def test_a_bomb_is_refused_by_its_headers(tmp_path: Path, content: bytes, said: str) -> None:
    archive = tmp_path / "bomb.tar.gz"
    archive.write_bytes(gzip.compress(content + bytes(10240)))
    with pytest.raises(ArchiveError, match=said):
        restore(archive, DataFolder(tmp_path / "new"))


def test_modes_are_no_more_than_permissions(tmp_path: Path) -> None:
    evil = Evil()
    evil.database(0o666)
    evil.file("secret-key", b"k", 0o644)
    evil.file("results/suid", b"x", 0o4755)
    evil.folder("results/sticky", 0o1777)
    evil.folder("results/closed", 0)
    folder = tmp_path / "new"
    restore(evil.write(tmp_path / "evil.tar.gz"), DataFolder(folder))
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")} | {
        "": stat.S_IMODE(folder.stat().st_mode)
    }
    assert modes == {
        "": 0o700,
        "saltant.sqlite3": 0o600,
        "secret-key": 0o600,
        "logs": 0o700,
        "results": 0o700,
        "suid": 0o755,
        "sticky": 0o777,
        "closed": 0,
    }


def nest(folder: Path, name: str, times: int) -> None:
    """Folders in each other, deeper than any path can name."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(times):
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


def test_deep_folders_come_along_or_are_named(data: DataFolder, tmp_path: Path) -> None:
    job = data.path / "results" / "job"
    nest(job, "a", 1300)
    nest(job, "b" * 200, 30)
    (job / "kept").write_text("x")
    archive, copy = tmp_path / "x.tar.gz", DataFolder(tmp_path / "copy")
    try:
        made = make_backup(data, archive)
        (left,) = made.left_out
        assert "bbb" in left
        assert "too long" in left
        assert "results/job/" + "a/" * 1300 + "file" in made.entries
        assert restore(archive, copy) == made.entries
        assert (copy.path / "results" / "job" / "kept").read_text() == "x"
        assert set(make_backup(copy, tmp_path / "again.tar.gz").entries) == set(made.entries)
    finally:  # pytest could not
        remove_tree(data.path)
        if copy.path.exists():
            remove_tree(copy.path)


def test_whatever_is_backed_up_can_be_restored(data: DataFolder, tmp_path: Path) -> None:
    job = data.path / "results" / "job"
    (job / "v1").mkdir()
    (job / "v1" / "file").write_text("x")
    (job / "current").symlink_to("v1")
    (job / "same").symlink_to("current")
    (job / "loop").symlink_to("loop")
    (job / "dots").symlink_to(".//v1/./file")
    (job / "through").symlink_to("current/file")
    (job / "down-up").symlink_to("v1/../current")
    (job / "manifest.json").write_text("{}")
    os.utime(job / "v1" / "file", (0, -3))
    made = make_backup(data, tmp_path / "x.tar.gz")
    assert sorted(each.split(":")[0].rsplit("/", 1)[1] for each in made.left_out) == ["down-up", "through"]
    assert restore(tmp_path / "x.tar.gz", DataFolder(tmp_path / "copy")) == made.entries
    copied = tmp_path / "copy" / "results" / "job"
    assert (copied / "same" / "file").read_text() == "x"
    assert (copied / "same" / "file").stat().st_mtime == -3


def test_what_cannot_be_read_hinders_nothing(data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (data.path / "results" / "job" / "bad").write_text("x")
    (data.path / "results" / "job" / "good").write_text("x")
    opened = os.open

    def fail(path: str | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == "bad":
            raise OSError(5, "Input/output error")
        return opened(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", fail)
    made = make_backup(data, tmp_path / "x.tar.gz")
    assert made.left_out == [f"{data.path}/results/job/bad: Input/output error"]
    assert "results/job/good" in made.entries


def test_a_folder_that_becomes_a_link_is_not_followed(
    data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "secret").write_text("x")
    swapped = data.path / "results" / "job" / "swapped"
    swapped.mkdir()

    def swapping(root: Path, failed: Callable[[str, str], None]) -> Iterator[Found]:
        for found in walk(root, failed):
            yield found
            if found.base == "swapped":  # it was looked at, and is opened next
                shutil.rmtree(swapped)
                swapped.symlink_to(foreign)

    monkeypatch.setattr(backup_module, "walk", swapping)
    made = make_backup(data, tmp_path / "x.tar.gz")
    assert not any("secret" in name for name in made.entries)
    assert len(made.left_out) == 1
    restore(tmp_path / "x.tar.gz", DataFolder(tmp_path / "copy"))
