"""The home page's pictures, and what they are drawn from."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from saltant.server.tasks.models import TaskAttempt, TaskInstance
from saltant.server.tasks.services.tallies import KEPT, SLOT, count_ends, slot_of, start_of
from saltant.server.tasks.tally_models import EndTally
from saltant.server.web.over_time import SPANS, ends_over
from tests.integration.conftest import World
from tests.integration.web.conftest import Pages
from tests.integration.web.test_queues import text_of


def ended(world: World, moment: Any, state: str = "successful", **values: Any) -> TaskInstance:
    """An instance that ended at a moment."""
    return world.make(state=state, datetime_changed=moment, datetime_finished=moment, **values)


def test_ends_are_counted_once_and_shown(world: World) -> None:
    now = start_of(slot_of(timezone.now())) + timedelta(seconds=150)
    for ago, state in ((0, "failed"), (SLOT, "successful"), (SLOT, "terminated"), (3 * SLOT, "successful")):
        ended(world, now - timedelta(seconds=ago), state)
    ended(world, now - timedelta(days=20))
    ended(world, now - KEPT - timedelta(days=1), "failed")
    # It was brought from elsewhere: it did not end here.
    world.make(state="failed", datetime_changed=now, datetime_finished=now - timedelta(days=90))
    while count_ends(now):
        pass
    assert count_ends(now) == 0
    assert list(EndTally.objects.filter(slot=slot_of(now) - 1).values_list("successful", "failed", "terminated")) == [
        (1, 0, 1)
    ]
    assert not EndTally.objects.filter(slot=slot_of(now)).exists()
    day, week, month = (ends_over(span, now) for span in SPANS)
    assert dict(day.totals) == dict(week.totals) == {"successful": 2, "failed": 1, "terminated": 1}
    assert dict(month.totals) == {"successful": 3, "failed": 1, "terminated": 1}
    assert [len(each.bars) for each in (day, week, month)] == [24, 28, 30]
    TaskInstance.objects.filter(datetime_changed__lt=now - timedelta(days=1)).delete()
    assert dict(ends_over(SPANS[2], now).totals)["successful"] == 3
    # A later look goes on where this one ended, and what is too old to be shown goes.
    later = now + KEPT + timedelta(days=2)
    assert count_ends(later) == 1
    assert EndTally.objects.count() == 1


def test_what_no_server_counted_yet_is_shown_too(world: World) -> None:
    now = timezone.now()
    ended(world, now - timedelta(seconds=1), "failed")
    assert dict(ends_over(SPANS[0], now).totals)["failed"] == 1


def test_days_are_those_of_a_zone(world: World) -> None:
    """In Kathmandu, 5:45 before UTC, the 2nd of May began at 18:15 of the 1st."""
    begins = datetime(2026, 5, 1, 18, 15, tzinfo=UTC)
    ended(world, begins - timedelta(seconds=1), "failed")
    ended(world, begins, "successful")
    now = begins + timedelta(minutes=20)
    count_ends(now)
    for clock, days in ((UTC, {"Fri 01 May": [1, 1, 0]}), (ZoneInfo("Asia/Kathmandu"), None)):
        bars = {bar.label: list(bar.counts) for bar in ends_over(SPANS[2], now.astimezone(clock)).bars if bar.total}
        assert bars == (days or {"Fri 01 May": [0, 1, 0], "Sat 02 May": [1, 0, 0]})


def test_the_pictures_have_their_tables(pages: Pages, world: World) -> None:
    now = timezone.now()
    for seconds in (1, 2, 30):
        instance = ended(world, now, datetime_created=now - timedelta(seconds=60))
        begin = now - timedelta(seconds=50)
        TaskAttempt.objects.create(
            instance=instance,
            number=1,
            worker="w",
            datetime_claimed=begin,
            datetime_started=begin,
            datetime_finished=begin + timedelta(seconds=seconds),
        )
    for span in ("", "day", "week", "month", "nonsense"):
        shown = text_of(pages.owner.get("/", {"span": span}))
        assert "2 s, 95% within 30 s" in shown
        assert "10 s, 95% within 10 s" in shown
        assert shown.count("As a table") == 3
    part = pages.owner.get("/?span=week", headers={"HX-Request": "true", "HX-Target": "charts"}).content.decode()
    assert ("What ended" in part, "Running" in part, "<html" in part) == (True, False, False)
    part = pages.owner.get("/", headers={"HX-Request": "true", "HX-Target": "now"}).content.decode()
    assert ("What ended" in part, "Running" in part) == (False, True)
