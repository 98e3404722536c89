"""Ends on disk."""

import errno
import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from saltant.jobs import Attempt, End
from saltant.reasons import Reason
from saltant.worker.spool import Spool

END = End(
    Reason.KILLED,
    "Its program was killed by signal 9 (SIGKILL).",
    signal=9,
    started=datetime(2026, 1, 1, tzinfo=UTC),
    finished=datetime(2026, 1, 2, tzinfo=UTC),
    cpu_seconds=1.5,
    peak_memory=4096,
)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool(tmp_path / "spool")
    assert spool.open() == {}
    return spool


def attempt(number: int = 1) -> Attempt:
    return Attempt(uuid4(), number)


def test_what_was_put_is_there_in_a_later_life_until_it_is_dropped(spool: Spool) -> None:
    one, two = attempt(1), attempt(22)
    spool.put(one, END)
    spool.put(two, End(Reason.EXITED, exit_code=0))
    assert Spool(spool.folder).open() == {one: END, two: End(Reason.EXITED, exit_code=0)}
    spool.drop(one)
    spool.drop(one)
    assert Spool(spool.folder).open() == {two: End(Reason.EXITED, exit_code=0)}


def test_nobody_else_can_read_it(spool: Spool) -> None:
    spool.put(attempt(), END)
    (file,) = spool.folder.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert spool.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"[" * 100_000,
        b'{"uuid": "x", "number": 1, "end": {}}',
        b'{"uuid": "00000000-0000-4000-8000-000000000000", "number": 1}',
        b'{"uuid": "00000000-0000-4000-8000-000000000000", "number": 1, "end": {"reason": "exited"}}',  # another's name
    ],
)
def test_what_cannot_be_read_is_put_aside(spool: Spool, text: bytes, caplog: pytest.LogCaptureFixture) -> None:
    good = attempt()
    spool.put(good, END)
    bad = spool.folder / f"{uuid4()}.1.json"
    bad.write_bytes(text)
    assert spool.open() == {good: END}
    assert bad.with_name(bad.name + ".unreadable").read_bytes() == text
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert spool.open() == {good: END}
    assert len(caplog.records) == 1


def test_half_a_file_is_none(spool: Spool) -> None:
    (spool.folder / "x.json.part").write_text('{"uuid"')
    assert spool.open() == {}
    assert list(spool.folder.iterdir()) == []


def test_a_full_disk_is_an_error_and_leaves_nothing(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        spool.put(attempt(), END)
    assert list(spool.folder.iterdir()) == []
