"""What every store does, and how each of them fails."""

import os
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saltant.files import CannotKeep
from saltant.server.files.folder_store import FolderStore
from saltant.server.files.s3_store import S3Store
from saltant.server.files.stores import Key, Missing, Store, store
from tests.integration.files.conftest import Use, s3_settings
from tests.services.s3 import ACCESS_KEY, REGION, S3, SECRET_KEY

KEY = Key("ab/abcd/1/logs/7", 10)


def read(kept: Store, start: int, end: int, key: Key = KEY) -> bytes:
    return b"".join(kept.read(key, start, end))


def test_bytes_are_read_as_they_were_added(kept: Store) -> None:
    offset = 0
    for data in (b"a", b"bcdefghi", b"jk", b"l" * 25, b"m"):
        kept.write_at(KEY, offset, data)
        offset += len(data)
    whole = b"abcdefghijk" + b"l" * 25 + b"m"
    assert read(kept, 0, len(whole)) == whole
    for start, end in [(0, 0), (0, 1), (9, 11), (10, 20), (11, 36), (36, 37)]:
        assert read(kept, start, end) == whole[start:end], (start, end)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6), st.data())
def test_any_range_of_any_writes(kept: Store, parts: list[bytes], data: st.DataObject) -> None:
    key = Key(f"hy/{sha256(repr(parts).encode()).hexdigest()}/1/logs/1", 16)
    offset = 0
    for part in parts:
        kept.write_at(key, offset, part)
        offset += len(part)
    whole = b"".join(parts)
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    assert read(kept, start, end, key) == whole[start:end]


def test_what_was_written_and_does_not_count_is_written_over(kept: Store) -> None:
    kept.write_at(KEY, 0, b"0123456789abcdef")
    kept.write_at(KEY, 4, b"XYZ")  # a crash came before the row said that there are 16 bytes
    assert read(kept, 0, 7) == b"0123XYZ"
    kept.write_at(KEY, 7, b"w" * 10)
    assert read(kept, 0, 17) == b"0123XYZ" + b"w" * 10


def test_a_file_larger_than_what_is_read_at_once(kept: Store) -> None:
    data = bytes(range(256)) * 2500
    key = Key("ab/large/1/results/1", 256 * 1024)
    kept.write_at(key, 0, data[:300_000])
    kept.write_at(key, 300_000, data[300_000:])
    assert read(kept, 0, len(data), key) == data
    assert read(kept, 262_143, 524_289, key) == data[262_143:524_289]
    assert max(len(part) for part in kept.read(key, 0, len(data))) <= 256 * 1024


def test_deleting_takes_what_is_below_and_nothing_else(kept: Store) -> None:
    others = [Key(path, 10) for path in ("ab/abcd/1/logs/70", "ab/abcd/1/results/7", "ab/abcde/1/logs/7")]
    for key in (KEY, Key("ab/abcd/1/logs/8", 10), *others):
        kept.write_at(key, 0, b"x" * 30)
    kept.delete("ab/abcd/1/logs")
    assert [gone(kept, key) for key in (KEY, *others)] == [True, True, False, False]
    kept.delete("ab/abcd")
    assert [gone(kept, key) for key in others] == [True, True, False]
    kept.delete("ab/abcd")
    kept.delete("never/was")


def gone(kept: Store, key: Key) -> bool:
    try:
        return not read(kept, 0, 1, key)
    except Missing:
        return True


def test_what_is_not_there_is_missing(kept: Store) -> None:
    assert read(kept, 0, 0) == b""
    with pytest.raises(Missing):
        read(kept, 0, 1)
    kept.write_at(KEY, 0, b"abc")
    with pytest.raises(Missing):
        read(kept, 0, 4)
    with pytest.raises(Missing):
        read(kept, 11, 12)


def test_check(kept: Store, tmp_path: Path) -> None:
    kept.check()
    kept.write_at(KEY, 0, b"x")
    kept.check()
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) <= 1


def test_check_makes_no_folder(in_folder: Path) -> None:
    store().check()
    assert not in_folder.exists()


def test_an_empty_folder_goes_with_its_last_file(in_folder: Path) -> None:
    kept = store()
    kept.write_at(KEY, 0, b"x")
    kept.write_at(Key("cd/other/1/logs/1", 10), 0, b"x")
    kept.delete("ab/abcd/1/logs")
    assert sorted(path.name for path in in_folder.iterdir()) == ["cd"]


def test_files_are_for_nobody_else(in_folder: Path) -> None:
    before = os.umask(0)
    try:
        store().write_at(KEY, 0, b"x")
    finally:
        os.umask(before)
    assert (in_folder / KEY.path).stat().st_mode & 0o777 == 0o600
    assert (in_folder / KEY.path).parent.stat().st_mode & 0o777 == 0o700


def test_a_link_in_the_place_of_a_file_is_not_followed(in_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (in_folder / KEY.path).parent.mkdir(parents=True)
    (in_folder / KEY.path).symlink_to(tmp_path / "secret")
    with pytest.raises(CannotKeep):
        store().write_at(KEY, 0, b"x")
    with pytest.raises(CannotKeep):
        read(store(), 0, 1)
    assert (tmp_path / "secret").read_bytes() == b"secret"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotKeep, match="file takes no writes"):
        FolderStore(tmp_path / "file" / "files").check()
    for act in (lambda kept: kept.write_at(KEY, 0, b"x"), lambda kept: read(kept, 0, 1)):
        with pytest.raises(CannotKeep, match=r"folder .*file/files cannot be used: Not a directory") as refused:
            act(FolderStore(tmp_path / "file" / "files"))
        assert not refused.value.is_full


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root mounts a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_changes_nothing_and_leaves_others_some_room(small_disk: Path) -> None:
    kept = FolderStore(small_disk / "files")
    kept.write_at(KEY, 0, b"a" * 1000)
    with pytest.raises(CannotKeep, match="no room for logs and results") as refused:
        kept.write_at(KEY, 1000, b"b" * 4 * 1024 * 1024)
    assert refused.value.is_full
    assert read(kept, 0, 1000) == b"a" * 1000
    (small_disk / "a-database").write_bytes(b"c" * 100_000)
    offset = 1000 + fill(kept)
    (small_disk / "a-database").write_bytes(b"c" * 200_000)
    assert read(kept, 0, offset) == b"a" * 1000 + b"d" * (offset - 1000)


def fill(kept: Store) -> int:
    """Add to a file of 1000 bytes until nothing more fits; returns how many were added."""
    added = 0
    try:
        while True:
            kept.write_at(KEY, 1000 + added, b"d" * 10_000)
            added += 10_000
    except CannotKeep:
        return added


def test_a_bucket_that_is_not_there(s3: S3, use: Use) -> None:
    use(**s3_settings(s3) | {"s3_bucket": "no-such-bucket"})
    with pytest.raises(CannotKeep, match="bucket no-such-bucket of the server cannot be used: NoSuchBucket"):
        store().check()
    with pytest.raises((CannotKeep, Missing)):
        read(store(), 0, 1)


def test_a_store_that_is_away() -> None:
    with S3() as s3:
        kept = S3Store(s3.new_bucket(), endpoint=s3.url, region=REGION, access_key=ACCESS_KEY, secret_key=SECRET_KEY)
        kept.write_at(KEY, 0, b"abc")
        s3.kill()
        acts = (lambda: kept.write_at(KEY, 3, b"d"), lambda: read(kept, 0, 1), kept.check, lambda: kept.delete("ab"))
        for act in acts:
            with pytest.raises(CannotKeep, match="does not answer the server") as refused:
                act()
            assert SECRET_KEY not in str(refused.value)


def test_two_servers_with_prefixes_of_their_own_share_a_bucket(s3: S3) -> None:
    bucket = s3.new_bucket()
    options = {"endpoint": s3.url, "region": REGION, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
    one, two = (S3Store(bucket, prefix=prefix, **options) for prefix in ("", "two/"))
    one.write_at(KEY, 0, b"one")
    two.write_at(KEY, 0, b"two")
    two.delete("ab")
    assert read(one, 0, 3) == b"one"
    assert gone(two, KEY)
