"""How logs grow: chunks by attempt and offset, from one worker, up to a limit."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saltant.files import NO_MORE, CannotKeep, LogChunk
from saltant.server.files import logs, services
from saltant.server.files.logs import cut_line
from saltant.server.files.models import LogFile
from saltant.server.files.stores import Store
from saltant.server.tasks.models import TaskAttempt
from tests.integration.conftest import World
from tests.integration.files.conftest import WORKER, Run, Use, claimed

BAD_NAMES = ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", ".", "a\\b", "a\0b", "a\nb", "\ud800", "x" * 1025]


def test_chunks_one_after_another(kept: Store, run: Run) -> None:
    assert run.ship(0, b"one\n") == 4
    assert run.ship(4, b"two\n") == 8
    assert run.ship(0, b"err", name="stderr") == 3
    assert (run.log(), run.log("stderr")) == (b"one\ntwo\n", b"err")


def test_a_repeated_chunk_changes_nothing(kept: Store, run: Run) -> None:
    run.ship(0, b"one\ntwo\n")
    assert run.ship(0, b"one\ntwo\n") == 8
    assert run.ship(0, b"one\n") == 8
    assert run.ship(4, b"two\n") == 8
    assert run.log() == b"one\ntwo\n"


def test_of_a_chunk_that_overlaps_only_what_is_new_is_added(kept: Store, run: Run) -> None:
    run.ship(0, b"one\n")
    assert run.ship(2, b"e\ntwo\n") == 8
    assert run.log() == b"one\ntwo\n"


def test_a_gap_is_not_written(in_folder: Path, run: Run) -> None:
    assert run.ship(5, b"late") == 0
    assert not LogFile.objects.exists()
    run.ship(0, b"one\n")
    assert run.ship(5, b"late") == 4
    assert run.ship(2**63 - 1, b"late") == 4
    assert run.log() == b"one\n"


def test_a_chunk_without_bytes_asks_where_to_go_on(in_folder: Path, run: Run) -> None:
    assert run.ship(0, b"") == 0
    assert not LogFile.objects.exists()
    run.ship(0, b"one\n")
    assert run.ship(0, b"") == 4


def test_several_chunks_at_once(in_folder: Path, world: World, run: Run) -> None:
    other = claimed(world, instance=world.container_instance)
    chunks = [
        LogChunk(run.attempt, "stdout", 0, b"a"),
        LogChunk(other.attempt, "logs/run.txt", 0, b"bcd"),
        LogChunk(run.attempt, "stdout", 1, b"e"),
        LogChunk(run.attempt, "stdout", 9, b"f"),
    ]
    assert services.append_logs(WORKER, chunks) == [1, 3, 2, 2]
    assert (run.log(), other.log("logs/run.txt")) == (b"ae", b"bcd")
    assert services.append_logs(WORKER, []) == []


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 30)), max_size=20))
def test_whatever_comes_in_whatever_order_the_log_is_a_beginning_of_the_truth(
    in_folder: Path, run: Run, pieces: list[tuple[int, int]]
) -> None:
    LogFile.objects.all().delete()
    truth = bytes(range(100))
    size = 0
    for offset, length in pieces:
        if offset <= size:
            size = max(size, offset + length)
        assert run.ship(offset, truth[offset : offset + length]) == size
    assert (run.log() if size else b"") == truth[:size]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names_are_wanted_by_nobody(in_folder: Path, run: Run, name: str) -> None:
    assert run.ship(0, b"x", name=name) == NO_MORE
    assert not in_folder.exists()


def test_names_of_others_reach_no_path(in_folder: Path, run: Run) -> None:
    run.ship(0, b"x", name="deep/ly/nested ü 日本.txt")
    run.ship(0, b"x", name="n" * 1024)
    files = [path.relative_to(in_folder).parts for path in in_folder.rglob("*") if path.is_file()]
    hexadecimal = run.attempt.uuid.hex
    assert [parts[:4] for parts in files] == [(hexadecimal[:2], hexadecimal, "1", "logs")] * 2
    assert all(parts[4].isdecimal() and len(parts) == 5 for parts in files)


def test_another_worker_adds_nothing(in_folder: Path, world: World, run: Run) -> None:
    run.ship(0, b"true")
    assert run.ship(4, b"false", worker="node8") == NO_MORE
    later = claimed(world, number=2, worker="node8")
    assert later.ship(0, b"false") == NO_MORE
    assert later.ship(0, b"second", worker="node8") == 6
    assert (run.log(), later.log()) == (b"true", b"second")


def test_what_a_lost_attempt_tells_late_is_still_true(in_folder: Path, world: World, run: Run) -> None:
    run.ship(0, b"one")
    TaskAttempt.objects.update(lease_expires=None, datetime_finished=timezone.now() - timedelta(days=1), reason="lost")
    claimed(world, number=2, worker="node8")
    assert run.ship(3, b"two") == 6
    assert run.log() == b"onetwo"


def test_a_log_is_cut_at_the_limit_and_says_so(kept: Store, run: Run, use: Use) -> None:
    use(log_limit=10)
    assert run.ship(0, b"0123456789") == 10
    assert run.ship(10, b"more") == NO_MORE
    assert run.log() == b"0123456789\n" + cut_line().encode()
    assert LogFile.objects.get().is_cut
    assert run.ship(10, b"more") == NO_MORE
    assert run.ship(0, b"") == NO_MORE
    assert run.log().count(b"cut here") == 1
    assert "10 bytes of logs (SALTANT_LOG_LIMIT)" in cut_line()


def test_a_log_is_cut_within_a_chunk(in_folder: Path, run: Run, use: Use) -> None:
    use(log_limit=10)
    assert run.ship(0, b"012345678\n9") == NO_MORE
    assert run.log() == b"012345678\n" + cut_line().encode()


def test_the_limit_is_of_all_attempts_of_an_instance(in_folder: Path, world: World, run: Run, use: Use) -> None:
    use(log_limit=10)
    run.ship(0, b"012345")
    assert run.ship(0, b"0123456", name="stderr") == NO_MORE
    assert run.log("stderr") == b"0123\n" + cut_line().encode()
    later = claimed(world, number=2)
    assert later.ship(0, b"x") == NO_MORE
    assert later.log() == cut_line().encode()
    other = claimed(world, instance=world.container_instance)
    assert other.ship(0, b"0123456789") == 10


def test_an_attempt_has_so_many_logs_and_no_more(in_folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MOST_LOGS", 3)
    assert [run.ship(0, b"x", name=f"f{number}") for number in range(4)] == [1, 1, 1, NO_MORE]


def test_a_store_that_fails_leaves_the_log_as_it_was(in_folder: Path, run: Run) -> None:
    run.ship(0, b"one")
    kept = in_folder.rename(in_folder.with_name("moved"))
    in_folder.write_text("in its place")
    with pytest.raises(CannotKeep):
        run.ship(3, b"two")
    in_folder.unlink()
    kept.rename(in_folder)
    assert run.ship(3, b"two") == 6
    assert run.log() == b"onetwo"
