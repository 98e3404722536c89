"""The list of instances, and what is done with them, as pages."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern
from django.utils import timezone

from saltant.server.tasks import services
from saltant.server.tasks.models import TaskAttempt, TaskDependency, TaskInstance, TaskLabel
from saltant.server.web.instances import NEWEST
from saltant.server.web.urls import urlpatterns
from saltant.states import State
from tests.integration.conftest import World
from tests.integration.web.conftest import Pages

PART = {"HTTP_HX_REQUEST": "true"}


def listed(client: Client, query: dict[str, Any], **headers: Any) -> list[str]:
    """The UUIDs on the list that a query asks for."""
    answer = client.get("/instances", query, **headers)
    assert answer.status_code == 200, answer.content.decode()
    return re.findall(r'id="to-([0-9a-f-]{36})"', answer.content.decode())


def act(client: Client, deed: str, *instances: TaskInstance, **said: str) -> Any:
    """Send the form."""
    return client.post("/instances/act", {"do": deed, "uuid": [str(each.uuid) for each in instances], **said})


def test_both_classes_the_newest_first(pages: Pages, world: World) -> None:
    expected = [str(world.container_instance.uuid), str(world.instance.uuid)]
    assert listed(pages.stranger, {}) == expected
    assert listed(pages.stranger, {}, **PART) == expected
    part = pages.owner.get("/instances", **PART).content.decode()
    assert "<html" not in part
    assert part.lstrip().startswith('<div id="list"')


def test_a_search_looks_in_every_place(pages: Pages, world: World) -> None:
    labelled = world.make(name="Third RUN", labels={"project": "antlers"})
    TaskLabel.objects.create(instance=labelled, key="project", value="antlers")
    one, two, three = (str(each.uuid) for each in (world.instance, world.container_instance, labelled))
    world.executable.name = "unlike-any-other"
    world.executable.save()
    for text, found in {
        "third run": [three],
        "antler": [three],
        "project=antlers": [three],
        "project=antler": [],
        one[:13]: [one],
        two.replace("-", ""): [two],
        "unlike-any": [three, one],
        "first": [one],
        "%": [],
        "nothing": [],
    }.items():
        assert listed(pages.owner, {"q": text}) == found, text
    assert listed(pages.owner, {"q": "unlike", "name": "first"}) == [one]
    assert listed(pages.owner, {"q": " ", "state": "", "name": ""}) == [three, two, one]


def test_a_search_for_what_is_nowhere_looks_at_few(
    pages: Pages, world: World, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(12):
        assert listed(pages.owner, {"q": "nothing at all"}) == []
    assert NEWEST <= 5_000


def test_pages_lead_on_and_back(pages: Pages, world: World) -> None:
    made = [world.make(name=f"n{number}") for number in range(60)]
    first = pages.owner.get("/instances", {"name__startswith": "n"}).content.decode()
    link = re.search(r'rel="next" href="([^"]+)"', first)
    assert link
    assert 'rel="prev"' not in first
    second = pages.owner.get("/instances" + link[1].replace("&amp;", "&")).content.decode()
    assert re.findall(r'id="to-([^"]+)"', second) == [str(each.uuid) for each in made[9::-1]]
    assert 'rel="prev"' in second
    assert 'rel="next"' not in second


@pytest.mark.parametrize(
    "query",
    ["nonsense=1", "state=odd", "task_type=9999", "cursor=x", "ordering=size", "q=%00", "name__regex=(", "label=%3D"],
)
def test_a_wrong_query_is_said_to_be(pages: Pages, query: str) -> None:
    answer = pages.owner.get(f"/instances?{query}")
    assert answer.status_code == 400
    assert 'role="alert"' in answer.content.decode()
    assert pages.owner.get(f"/instances?{query}", **PART).status_code == 200


def test_text_of_jobs_is_text(pages: Pages, world: World) -> None:
    bad = "<script>alert(1)</script>"
    instance = world.make(name=bad, arguments={bad: bad}, labels={"a": bad}, message=bad, state=State.FAILED)
    for path in ("/", "/instances", f"/instances/{instance.uuid}", f"/instances/run?from={instance.uuid}"):
        assert bad not in pages.owner.get(path).content.decode(), path


@pytest.mark.parametrize(
    ("role", "may"), [("owner", True), ("queue_owner", True), ("admin", True), ("stranger", False)]
)
def test_who_may_terminate(pages: Pages, world: World, role: str, may: bool) -> None:
    offered = "Terminate…" in pages[role].get(f"/instances/{world.instance.uuid}").content.decode()
    asked = act(pages[role], "terminate", world.instance)
    world.instance.refresh_from_db()
    assert (offered, asked.status_code, world.instance.state) == (may, 200 if may else 403, State.CREATED)
    done = act(pages[role], "terminate", world.instance, confirmed="1", next="/instances?state=created")
    world.instance.refresh_from_db()
    assert world.instance.state == (State.TERMINATED if may else State.CREATED)
    assert done.status_code == (302 if may else 403)
    if may:
        assert done["Location"] == "/instances?state=created"
        assert "being terminated" in pages[role].get("/instances").content.decode()


def test_of_several_those_that_one_may_not_end_are_left_out(pages: Pages, world: World) -> None:
    mine = world.make(user=world.users["stranger"])
    page = act(pages.stranger, "terminate", mine, world.instance).content.decode()
    assert "1 of those picked" in page
    act(pages.stranger, "terminate", mine, world.instance, confirmed="1")
    assert [TaskInstance.objects.get(pk=each.pk).state for each in (mine, world.instance)] == ["terminated", "created"]


def test_clones_belong_to_who_clones(pages: Pages, world: World) -> None:
    assert act(pages.stranger, "clone", world.instance, world.container_instance, confirmed="1").status_code == 302
    clones = TaskInstance.objects.filter(user=world.users["stranger"])
    assert {each.arguments.get("text") for each in clones} == {"a", None}
    world.queue.active = False
    world.queue.save()
    refused = act(pages.stranger, "clone", world.instance, confirmed="1")
    assert refused.status_code == 400
    assert "Nothing was cloned" in refused.content.decode()
    assert clones.count() == 2


def test_labels_are_given_and_taken(pages: Pages, world: World) -> None:
    for text, expected in {
        "project=x": {"project": "x"},
        "seed = 7": {"project": "x", "seed": "7"},
        "done": {"project": "x", "seed": "7", "done": ""},
        "-seed": {"project": "x", "done": ""},
    }.items():
        assert act(pages.owner, "label", world.instance, confirmed="1", label=text).status_code == 302
        world.instance.refresh_from_db()
        assert world.instance.labels == expected
    for text in ("", "=", "a b=1", "-", "a=" + "b" * 201):
        assert act(pages.owner, "label", world.instance, confirmed="1", label=text).status_code == 400
    assert act(pages.stranger, "label", world.instance, confirmed="1", label="a=b").status_code == 403
    world.instance.refresh_from_db()
    assert world.instance.labels == {"project": "x", "done": ""}


def test_times_of_filters_are_those_of_a_zone(pages: Pages, world: World) -> None:
    """Half an hour before noon in Kathmandu is 5:45 in UTC."""
    found = world.make(datetime_created=datetime(2026, 5, 1, 5, 45, tzinfo=UTC))
    query = {"datetime_created__gte": "2026-05-01T11:00", "datetime_created__lt": "2026-05-01T12:00"}
    assert listed(pages.owner, query) == []
    world.users["owner"].time_zone = "Asia/Kathmandu"
    world.users["owner"].save()
    assert listed(pages.owner, query) == [str(found.uuid)]
    text = pages.owner.get("/instances", query).content.decode()
    assert "Created from (Asia/Kathmandu)" in text
    assert 'value="2026-05-01T11:00"' in text
    assert pages.owner.get("/instances", {"datetime_created__gte": "soon"}).status_code == 400


def test_what_has_ended_meanwhile_is_not_terminated(pages: Pages, world: World) -> None:
    over = world.make(state=State.SUCCESSFUL)
    for client in (pages.owner, pages.admin):
        answer = act(client, "terminate", over, confirmed="1", next="/instances?q=x")
        assert (answer.status_code, answer["Location"]) == (302, "/instances?q=x")
        assert "1 instance has ended already." in client.get("/instances").content.decode()
    assert act(pages.stranger, "terminate", over).status_code == 403
    act(pages.owner, "terminate", over, world.instance, confirmed="1")
    over.refresh_from_db()
    world.instance.refresh_from_db()
    assert (over.datetime_cancelled, world.instance.state) == (None, State.TERMINATED)


def test_odd_forms(pages: Pages, world: World) -> None:
    assert act(pages.owner, "explode", world.instance).status_code == 404
    assert pages.owner.post("/instances/act", {"do": "terminate", "uuid": ["x", ""]}).status_code == 200
    # Back from signing in, a form's address comes as a link.
    assert pages.owner.get("/instances/act")["Location"] == "/instances"
    assert pages.owner.put("/instances/act").status_code == 405
    away = act(pages.owner, "clone", world.instance, confirmed="1", next="https://evil.example.org/")
    assert away["Location"] == "/instances"
    for path in ("/instances/x", "/instances/run?from=x", "/instances/run?type=9999", "/instances/run?type=x"):
        assert pages.owner.get(path).status_code == 404, path


def test_run_obeys_the_api(pages: Pages, world: World) -> None:
    said = {"task_type": world.executable.pk, "task_queue": world.queue.pk, "arguments": '{"text": "b"}', "name": "ran"}
    said |= {"labels": "a=1\n b = 2 ", "timeout": "30", "retry_delay": ""}
    answer = pages.stranger.post("/instances/run", said)
    made = TaskInstance.objects.get(name="ran")
    assert answer["Location"] == f"/instances/{made.uuid}"
    assert (made.user, made.arguments) == (world.users["stranger"], {"text": "b", "language": "en"})
    assert (made.labels, made.timeout, made.retry_delay) == ({"a": "1", "b": "2"}, 30.0, 5.0)
    for wrong in (
        {"arguments": "{"},
        {"arguments": "[]"},
        {"arguments": "{}"},
        {"task_queue": "x"},
        {"task_queue": world.other_queue.pk},
        {"timeout": "-1"},
        {"labels": "a b"},
        {"name": "x" * 201},
    ):
        refused = pages.stranger.post("/instances/run", said | wrong)
        assert refused.status_code == 400, wrong
        assert "error" in refused.content.decode()
    assert TaskInstance.objects.filter(user=world.users["stranger"]).count() == 1


def test_what_was_run_is_in_the_form(pages: Pages, world: World) -> None:
    instance = services.submit(
        user=world.users["owner"],
        task_type=world.executable,
        task_queue=world.queue,
        arguments={"text": "again"},
        name="before",
        limits={"timeout": 2.5},
        labels={"a": "1"},
    )
    text = pages.owner.get(f"/instances/run?from={instance.uuid}").content.decode()
    for part in ("again", 'value="before"', "a=1", 'value="2.5"'):
        assert part in text


def test_every_page_asks_who_one_is(world: World) -> None:
    stranger = Client()
    names = {"name": world.instance.uuid, "file": "a"}
    for pattern in urlpatterns:
        assert isinstance(pattern, URLPattern)
        if pattern.name in ("login", "logout", "reference"):
            continue
        path = "/" + re.sub(r"\(\?P<(\w+)>[^)]*\)", lambda found: str(names.get(found[1], "1")), str(pattern.pattern))
        path = path.replace("^", "").replace("/?$", "").replace("$", "")
        answer = stranger.get(path)
        assert (answer.status_code, answer.get("Location", "")[:7]) == (302, "/login?"), path


def test_what_it_waits_for_and_how_far_it_is(pages: Pages, world: World) -> None:
    first = world.make(name="the first", state=State.RUNNING)
    progress: Any = {"percent": 42.5, "message": "half way", "done": 17, "total": 40}
    now = timezone.now()
    TaskAttempt.objects.create(
        instance=first,
        number=1,
        worker="w",
        datetime_claimed=now,
        datetime_started=now - timedelta(seconds=61),
        progress=progress,
        datetime_progress=now,
    )
    second = world.make(name="the second")
    TaskDependency.objects.create(instance=second, on=first, condition="any")
    text = pages.stranger.get(f"/instances/{first.uuid}").content.decode()
    assert re.search(r'<dd><time [^>]*data-when="since"[^>]*>1 min', text)  # without a script, too
    assert 'value="42.5"' in text
    assert re.search(r"42[.]5 %\s+half way", pages.stranger.get("/instances").content.decode())
    assert "half way" in text
    assert f"/instances/{second.uuid}" in text
    assert "however it ends" in pages.stranger.get(f"/instances/{second.uuid}").content.decode()


def test_attempts_and_ends_are_told_in_words(pages: Pages, world: World) -> None:
    now = timezone.now()
    instance = world.make(attempt=2, max_attempts=2, state=State.FAILED, reason="exited", datetime_finished=now)
    for number, reason, exit_code in ((1, "lost", None), (2, "exited", 3)):
        TaskAttempt.objects.create(
            instance=instance,
            number=number,
            worker="w",
            datetime_claimed=now,
            datetime_started=now,
            datetime_finished=now,
            reason=reason,
            exit_code=exit_code,
        )
    text = pages.owner.get(f"/instances/{instance.uuid}").content.decode()
    assert "was lost while it ran" in text
    assert "with exit code 3" in text
    assert "2 of 2" in text
