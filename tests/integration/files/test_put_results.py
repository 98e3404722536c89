"""How results come in: offered, uploaded in parts, verified."""

from hashlib import sha256
from pathlib import Path

import pytest
from django.db import connection

from saltant.files import NO_MORE, CannotKeep, RefusedFile, ResultOffer
from saltant.server.files import results, services
from saltant.server.files.digests import digests
from saltant.server.files.models import RefusedResult, ResultFile
from saltant.server.files.stores import Store
from tests.integration.conftest import World
from tests.integration.files.conftest import WORKER, Run, Use, claimed
from tests.integration.files.test_append_logs import BAD_NAMES

DATA = bytes(range(256)) * 40


def refused() -> dict[str, str]:
    return dict(RefusedResult.objects.values_list("name", "why"))


def test_a_file_in_parts(kept: Store, run: Run) -> None:
    assert run.offer("table.csv", DATA) == 0
    assert run.put("table.csv", 0, DATA[:4000]) == 4000
    assert run.offer("table.csv", DATA) == 4000
    assert run.put("table.csv", 4000, DATA[4000:]) == len(DATA)
    assert run.result("table.csv") == DATA
    assert run.offer("table.csv", DATA) == len(DATA)


def test_a_file_in_parts_that_reach_different_processes(kept: Store, run: Run) -> None:
    run.offer("a", DATA)
    for start in range(0, len(DATA), 3000):
        digests.__init__()  # type: ignore[misc]  # another process has hashed nothing
        run.put("a", start, DATA[start : start + 3000])
    assert run.result("a") == DATA


def test_repeated_overlapping_and_too_early_parts(in_folder: Path, run: Run) -> None:
    run.offer("a", DATA)
    assert run.put("a", 100, DATA[100:200]) == 0
    assert run.put("a", 0, DATA[:200]) == 200
    assert run.put("a", 0, DATA[:200]) == 200
    assert run.put("a", 150, DATA[150:300]) == 300
    assert run.put("a", 2**63 - 1, b"x") == 300
    assert run.put("a", 300, DATA[300:] + b"more than there is") == len(DATA)
    assert run.put("a", 0, b"something else") == len(DATA)
    assert run.put("a", len(DATA), b"") == len(DATA)
    assert run.result("a") == DATA


def test_wrong_bytes_are_wanted_again(kept: Store, run: Run) -> None:
    run.offer("a", DATA)
    assert run.put("a", 0, DATA[:5000]) == 5000
    assert run.put("a", 5000, b"x" * (len(DATA) - 5000)) == 0
    assert not ResultFile.objects.get().is_complete
    assert run.put("a", 0, DATA) == len(DATA)
    assert run.result("a") == DATA


def test_a_file_that_changed_begins_anew(in_folder: Path, run: Run) -> None:
    run.offer("a", DATA)
    run.put("a", 0, DATA[:5000])
    other = DATA[::-1]
    assert run.offer("a", other) == 0
    assert run.put("a", 0, other) == len(other)
    assert run.offer("a", b"short") == 0
    assert run.put("a", 0, b"short") == 5
    assert run.result("a") == b"short"


def test_an_empty_file_is_there_when_it_is_offered(in_folder: Path, run: Run) -> None:
    assert run.offer("empty", b"") == 0
    assert run.result("empty") == b""
    assert run.offer("false", b"", sha256=sha256(b"x").hexdigest()) == NO_MORE
    assert "false" in refused()


def test_a_large_file_over_several_blocks(kept: Store, run: Run) -> None:
    data = DATA * 900  # 9 MB
    run.offer("large", data)
    offset = 0
    while offset < len(data):
        offset = run.put("large", offset, data[offset : offset + 4 * 1024 * 1024])
    assert run.result("large") == data


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names_are_refused_and_named(in_folder: Path, run: Run, name: str) -> None:
    assert run.offer(name, b"x") == NO_MORE
    [(shown, why)] = refused().items()
    assert shown.isprintable()
    assert len(shown) <= 1024
    assert why.startswith("A file")
    assert run.put(name, 0, b"x") == NO_MORE
    assert not in_folder.exists()


def test_what_the_worker_refused_is_kept_as_text(in_folder: Path, run: Run) -> None:
    said = [RefusedFile("evil\x1b[2J\ud800\0", "It is a link\nthat leaves."), RefusedFile("b" * 5000, "w" * 5000)]
    assert services.offer_results(WORKER, run.attempt, [], said) == []
    assert refused() == {"evil\ufffd[2J\ufffd\ufffd": "It is a link\ufffdthat leaves.", "b" * 1024: "w" * 500}
    services.offer_results(WORKER, run.attempt, [], said)
    assert RefusedResult.objects.count() == 2


def test_another_workers_attempt(in_folder: Path, world: World, run: Run) -> None:
    run.offer("a", DATA)
    assert run.put("a", 0, DATA, worker="node8") == NO_MORE
    later = claimed(world, number=2, worker="node8")
    assert later.offer("a", DATA) == NO_MORE
    assert services.offer_results("node8", run.attempt, [ResultOffer("b", 1, "0" * 64)], [RefusedFile("c", "")]) == [
        NO_MORE
    ]
    assert [each.name for each in ResultFile.objects.all()] == ["a"]
    assert refused() == {}


def test_what_was_not_offered_is_not_taken(in_folder: Path, run: Run) -> None:
    assert run.put("a", 0, DATA) == NO_MORE
    assert not in_folder.exists()


def test_limits(in_folder: Path, run: Run, use: Use) -> None:
    use(result_limit=10, result_files=3)
    assert [run.offer("a", b"123456"), run.offer("b", b"12345"), run.offer("c", b"1234")] == [0, NO_MORE, 0]
    assert run.offer("d", b"") == 0
    assert run.offer("e", b"") == NO_MORE
    assert run.offer("a", b"123456") == 0
    assert run.offer("a", b"1234567") == NO_MORE
    assert run.offer("a", b"12") == 0
    assert refused() == {
        "b": "With it, the results would have more than 10 bytes (SALTANT_RESULT_LIMIT).",
        "e": "There are more than 3 files (SALTANT_RESULT_FILES).",
        "a": "With it, the results would have more than 10 bytes (SALTANT_RESULT_LIMIT).",
    }


def test_sizes_beyond_what_files_have(in_folder: Path, run: Run, use: Use) -> None:
    use(result_limit=2**60)
    for size in (-1, 2**63, 2**200):
        assert run.offer("a", b"", size=size, sha256="0" * 64) == NO_MORE
    assert run.offer("a", b"", size=2**63 - 1, sha256="0" * 64) == NO_MORE
    assert run.offer("b", b"", size=2**60, sha256="0" * 64) == 0


def test_one_offer_may_name_a_file_twice(in_folder: Path, run: Run) -> None:
    offers = [ResultOffer("a", 3, "0" * 64), ResultOffer("a", len(DATA), sha256(DATA).hexdigest())]
    assert services.offer_results(WORKER, run.attempt, offers) == [0, 0]
    assert run.put("a", 0, DATA) == len(DATA)
    assert run.result("a") == DATA


def test_refused_files_are_named_up_to_a_number(in_folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MOST_REFUSED", 3)
    said = [RefusedFile(f"f{number}", "why") for number in range(5)]
    services.offer_results(WORKER, run.attempt, [], said[:2])
    services.offer_results(WORKER, run.attempt, [], said)
    assert len(refused()) == 3


def test_many_files_in_few_statements(in_folder: Path, run: Run) -> None:
    from django.test.utils import CaptureQueriesContext

    offers = [ResultOffer(f"f{number}", 1, "0" * 64) for number in range(500)]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert services.offer_results(WORKER, run.attempt, offers) == [0] * 500
    assert len(queries) < 15
    assert ResultFile.objects.count() == 500


def test_a_store_that_fails_leaves_the_file_as_it_was(in_folder: Path, run: Run) -> None:
    run.offer("a", DATA)
    run.put("a", 0, DATA[:100])
    kept = in_folder.rename(in_folder.with_name("moved"))
    in_folder.write_text("in its place")
    with pytest.raises(CannotKeep):
        run.put("a", 100, DATA[100:])
    in_folder.unlink()
    kept.rename(in_folder)
    assert run.put("a", 100, DATA[100:]) == len(DATA)
    assert run.result("a") == DATA
