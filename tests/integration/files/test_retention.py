"""What `saltant prune` takes, and what it leaves."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from saltant.files import CannotKeep, RefusedFile
from saltant.server.files import retention, services
from saltant.server.files.models import LogFile, RefusedResult, ResultFile
from saltant.server.files.retention import Amount
from saltant.server.files.stores import Store
from saltant.server.tasks.models import TaskAttempt, TaskInstance
from tests.integration.conftest import World
from tests.integration.files.conftest import WORKER, Run, claimed

NOW = timezone.now()
MONTH = NOW - timedelta(days=30)


def ended(world: World, *, days: float, state: str = "successful", **values: Any) -> Run:
    """An instance with a log and a result that ended so many days ago."""
    run = claimed(world, instance=world.make(), **values)
    run.ship(0, b"log")
    run.leave("result", b"result")
    services.offer_results(WORKER, run.attempt, [], [RefusedFile("link", "why")])
    finished = NOW - timedelta(days=days)
    TaskAttempt.objects.filter(pk=run.row.pk).update(lease_expires=None, datetime_finished=finished)
    TaskInstance.objects.filter(uuid=run.attempt.uuid).update(state=state, datetime_finished=finished)
    return run


def test_logs(kept: Store, world: World) -> None:
    old, new = ended(world, days=31), ended(world, days=29)
    assert retention.prune_logs(MONTH, really=False) == Amount(1, 1, 3)
    assert old.log() == b"log"
    assert retention.prune_logs(MONTH, really=True) == Amount(1, 1, 3)
    assert list(LogFile.objects.values_list("attempt", flat=True)) == [new.row.pk]
    assert (new.log(), old.result("result")) == (b"log", b"result")
    assert retention.prune_logs(MONTH, really=True) == Amount()


def test_results(kept: Store, world: World) -> None:
    old, new = ended(world, days=31), ended(world, days=29)
    assert retention.prune_results(MONTH, really=False) == Amount(1, 1, 6)
    assert old.result("result") == b"result"
    assert retention.prune_results(MONTH, really=True) == Amount(1, 1, 6)
    assert list(ResultFile.objects.values_list("attempt", flat=True)) == [new.row.pk]
    assert list(RefusedResult.objects.values_list("attempt", flat=True)) == [new.row.pk]
    assert (old.log(), new.result("result")) == (b"log", b"result")


def test_instances(in_folder: Path, world: World) -> None:
    old, new = ended(world, days=31), ended(world, days=29)
    bare = world.make(state="terminated", datetime_finished=MONTH - timedelta(days=1))
    assert retention.prune_instances(MONTH, really=False) == Amount(2, 2, 9)
    assert retention.prune_instances(MONTH, really=True) == Amount(2, 2, 9)
    left = set(TaskInstance.objects.values_list("uuid", flat=True))
    assert left.isdisjoint({old.attempt.uuid, bare.uuid})
    assert new.attempt.uuid in left
    assert (new.log(), new.result("result")) == (b"log", b"result")
    assert not list(in_folder.rglob(old.attempt.uuid.hex))


@pytest.mark.parametrize("state", ["created", "published", "running"])
def test_nothing_unfinished_goes(in_folder: Path, world: World, state: str) -> None:
    run = ended(world, days=100, state=state)
    TaskInstance.objects.filter(uuid=run.attempt.uuid).update(datetime_created=NOW - timedelta(days=200))
    for prune in (retention.prune_logs, retention.prune_results, retention.prune_instances):
        assert prune(NOW, really=True) == Amount()
    assert (run.log(), run.result("result")) == (b"log", b"result")


def test_nothing_goes_that_a_worker_holds(in_folder: Path, world: World) -> None:
    run = ended(world, days=100)
    TaskAttempt.objects.filter(pk=run.row.pk).update(lease_expires=NOW)
    for prune in (retention.prune_logs, retention.prune_results, retention.prune_instances):
        assert prune(NOW, really=True) == Amount()
    assert run.log() == b"log"


def test_many(in_folder: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    for _ in range(5):
        ended(world, days=31)
    assert retention.prune_logs(MONTH, really=True) == Amount(5, 5, 15)
    assert retention.prune_instances(MONTH, really=True) == Amount(5, 5, 30)
    assert not [path for path in in_folder.rglob("*") if path.is_file()]


def test_all_attempts_go(in_folder: Path, world: World) -> None:
    run = ended(world, days=31)
    later = claimed(world, number=2, instance=TaskInstance.objects.get(uuid=run.attempt.uuid))
    later.ship(0, b"second")
    TaskAttempt.objects.update(lease_expires=None)
    TaskInstance.objects.filter(uuid=run.attempt.uuid).update(state="failed")
    assert retention.prune_logs(MONTH, really=True) == Amount(1, 2, 9)
    assert not LogFile.objects.exists()


def test_a_store_that_fails_leaves_the_rows_for_the_next_time(in_folder: Path, world: World) -> None:
    run = ended(world, days=31)
    kept = in_folder.rename(in_folder.with_name("moved"))
    in_folder.write_text("in its place")
    with pytest.raises(CannotKeep):
        retention.prune_logs(MONTH, really=True)
    in_folder.unlink()
    kept.rename(in_folder)
    assert run.log() == b"log"
    assert retention.prune_logs(MONTH, really=True) == Amount(1, 1, 3)


def test_what_comes_later_is_wanted_by_nobody(in_folder: Path, world: World) -> None:
    run = ended(world, days=31)
    retention.prune_instances(MONTH, really=True)
    assert run.ship(3, b"more") == -1
    assert run.offer("other", b"x") == -1
