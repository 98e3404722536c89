"""Types and their history, as pages."""

import re
from typing import Any
from urllib.parse import quote

import pytest

from saltant.server.audit.models import AuditEntry
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskInstance, TaskType, TaskWhitelist
from saltant.states import State
from tests.integration.conftest import World
from tests.integration.web.conftest import Pages

CONTAINER = {
    "kind": "docker",
    "name": "boxed",
    "command_to_run": "run me",
    "container_image": "image:1",
    "pull_policy": "never",
    "network": "none",
    "shm_size": "67108864",
    "read_only_root": "true",
    "results_path": "/results",
    "json_file_option": "--ignored",
    "environment_variables": "HOME\n LANG ",
    "required_arguments": '["with\\nline", "b"]',
    "required_arguments_default_values": '{"b": 2.5}',
    "max_attempts": "2",
    "retry_on": "failed",
    "retry_delay": "5",
    "priority": "5",
}
EXECUTABLE = {"name": "plain", "command_to_run": "run me", "max_attempts": "1", "retry_on": "lost", "retry_delay": "5"}
EXECUTABLE |= {"priority": "5", "kind": "executable"}


def text_of(answer: Any) -> str:
    """The page, with one space for each gap."""
    return " ".join(answer.content.decode().split())


def form_of(task_type: TaskType, **changes: str) -> dict[str, str]:
    """What a browser sends of the form of the world's executable."""
    said = {
        "revision": str(task_type.revision),
        "name": task_type.name,
        "command_to_run": task_type.command_to_run,
        "required_arguments": "text\nlanguage",
        "required_arguments_default_values": '{"language": "en"}',
    }
    return EXECUTABLE | said | changes


def test_the_list_holds_both_classes_and_leaves_out_archived_ones(pages: Pages, world: World) -> None:
    services.set_archived(world.container, True, by=world.users["owner"])

    def listed(query: str) -> list[str]:
        answer = pages.stranger.get(f"/types{query}")
        assert answer.status_code == 200, answer.content.decode()
        return re.findall(r'<th scope="row"><a href="/types/(\d+)"', answer.content.decode())

    executable, container = str(world.executable.pk), str(world.container.pk)
    assert listed("") == [executable]
    assert listed("?archived=true") == [container]
    assert listed("?show=archived") == [container]
    assert listed("?show=all") == [container, executable]
    assert listed("?show=all&task_class=executable") == [executable]
    assert listed("?q=COUNT&name=count&user__username=owner&q=") == [executable]
    assert listed("?q=nowhere") == []
    assert ">queue<" in pages.owner.get("/types").content.decode()
    for wrong in ("?nonsense=1", "?q=%00", "?cursor=x", "?ordering=size"):
        assert pages.owner.get(f"/types{wrong}").status_code == 400, wrong


def test_a_type_is_made_of_each_kind(pages: Pages, world: World) -> None:
    answer = pages.stranger.post("/types/new", CONTAINER)
    made = TaskType.objects.get(name="boxed")
    assert answer["Location"] == f"/types/{made.pk}", text_of(answer)
    assert (made.user, made.task_class, made.container_type) == (world.users["stranger"], "container", "docker")
    assert (made.environment_variables, made.required_arguments) == (["HOME", "LANG"], ["with\nline", "b"])
    assert (made.required_arguments_default_values, made.shm_size) == ({"b": 2.5}, 2**26)
    assert (made.read_only_root, made.results_path, made.logs_path) == (True, "/results", None)
    assert (made.json_file_option, made.timeout, made.max_attempts) == (None, None, 2)
    assert made.revisions.get().changed_by == "stranger"
    assert AuditEntry.objects.filter(action="create", object_id=str(made.pk)).exists()
    pages.stranger.post("/types/new", EXECUTABLE | {"json_file_option": "--file"})
    plain = TaskType.objects.get(name="plain")
    assert (plain.task_class, plain.json_file_option, plain.container_type) == ("executable", "--file", "")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "count"}, "name"),
        ({"command_to_run": "'unclosed"}, "command_to_run"),
        ({"environment_variables": "A=B"}, "environment_variables"),
        ({"required_arguments": "[1]"}, "required_arguments"),
        ({"required_arguments": "[nothing"}, "required_arguments"),
        ({"required_arguments_default_values": "[1]"}, "required_arguments_default_values"),
        ({"required_arguments_default_values": "{"}, "required_arguments_default_values"),
        ({"required_arguments_default_values": '{"other": 1}'}, None),
        ({"timeout": "soon"}, "timeout"),
        ({"max_attempts": ""}, "max_attempts"),
        ({"retry_on": "never"}, "retry_on"),
        ({"kind": "docker", "container_image": ""}, "container_image"),
        ({"kind": "docker", "container_image": "a", "container_user": "a b"}, "container_user"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(
    pages: Pages, world: World, wrong: dict[str, str], field: str | None
) -> None:
    said = EXECUTABLE | {"pull_policy": "never", "network": "none"} | wrong
    answer = pages.owner.post("/types/new", said)
    assert answer.status_code == 400
    text = answer.content.decode()
    assert "Traceback" not in text
    assert 'role="alert"' in text
    if field:
        beside = re.search(rf'<div id="{field}-error">(.*?)</div>', text, re.DOTALL)
        assert beside
        assert 'class="error"' in beside[1]
    assert TaskType.objects.count() == 2


def test_what_a_kind_cannot_have_goes_when_it_becomes_that_kind(pages: Pages, world: World) -> None:
    task_type = world.container
    services.update_type(task_type, {"container_user": "1000", "shm_size": 2**26}, world.users["admin"])
    said = CONTAINER | {"name": "count", "revision": "2", "container_user": "1000"}
    answer = pages.owner.post(f"/types/{task_type.pk}/edit", said | {"kind": "singularity"})
    assert answer.status_code == 302, text_of(answer)
    task_type.refresh_from_db()
    assert (task_type.container_type, task_type.container_user, task_type.shm_size) == ("singularity", "", None)
    said |= {"kind": "executable", "revision": "3"}
    assert pages.owner.post(f"/types/{task_type.pk}/edit", said).status_code == 302
    task_type.refresh_from_db()
    assert (task_type.task_class, task_type.container_type) == ("container", "singularity")


def test_an_edit_is_asked_about_where_it_takes_a_type_off_others_whitelists(pages: Pages, world: World) -> None:
    task_type, path = world.executable, f"/types/{world.executable.pk}/edit"
    others = TaskWhitelist.objects.create(name="others", user=world.users["stranger"])
    others.task_types.add(task_type)
    assert "others (stranger)" in text_of(pages.owner.get(path))
    described = pages.owner.post(path, form_of(task_type, description="New words."))
    assert described.status_code == 302
    task_type.refresh_from_db()
    assert (task_type.description, task_type.revision) == ("New words.", 2)
    asked = pages.owner.post(path, form_of(task_type, command_to_run="other"))
    assert asked.status_code == 200
    assert f'name="taken_off" value="{others.pk}"' in text_of(asked)
    task_type.refresh_from_db()
    assert task_type.command_to_run == "count --words"
    done = pages.owner.post(path, form_of(task_type, command_to_run="other", taken_off=str(others.pk)))
    assert done["Location"] == f"/types/{task_type.pk}"
    assert "It was taken off others." in text_of(pages.owner.get(done["Location"]))
    assert not others.task_types.exists()
    assert world.whitelist.task_types.filter(pk=task_type.pk).exists()


def test_an_edit_of_what_was_changed_meanwhile_is_refused_once(pages: Pages, world: World) -> None:
    task_type, path = world.executable, f"/types/{world.executable.pk}/edit"
    old = form_of(task_type, description="Mine.")
    services.update_type(task_type, {"description": "Theirs."}, world.users["admin"])
    refused = pages.owner.post(path, old)
    assert refused.status_code == 400
    assert "changed meanwhile" in text_of(refused)
    assert 'name="revision" value="2"' in text_of(refused)
    assert pages.owner.post(path, old | {"revision": "2"}).status_code == 302
    task_type.refresh_from_db()
    assert task_type.description == "Mine."


def test_a_type_goes_back_to_a_revision(pages: Pages, world: World) -> None:
    task_type = world.executable
    services.update_type(task_type, {"command_to_run": "second", "timeout": 3.0}, world.users["owner"])
    one = f"/types/{task_type.pk}/history/1"
    history = text_of(pages.stranger.get(f"/types/{task_type.pk}/history"))
    assert "Command, Timeout" in history
    diff = text_of(pages.stranger.get(f"/types/{task_type.pk}/history/2"))
    assert "count --words</del>" in diff
    assert "second</ins>" in diff
    assert "second</del>" in text_of(pages.stranger.get(f"{one}?against=2"))
    assert pages.stranger.post(one, {"confirmed": "1"}).status_code == 403
    asked = pages.owner.post(one)
    assert "new revision, 3" in text_of(asked)
    task_type.refresh_from_db()
    assert task_type.revision == 2
    assert pages.owner.post(one, {"confirmed": "1"})["Location"] == f"/types/{task_type.pk}"
    task_type.refresh_from_db()
    assert (task_type.revision, task_type.command_to_run, task_type.timeout) == (3, "count --words", None)
    assert AuditEntry.objects.filter(action="restore", object_id=str(task_type.pk)).exists()
    wrong = (f"/types/{task_type.pk}/history/9", f"/types/{task_type.pk + 10**6}/history")
    for path in (f"{one}?against=9", f"{one}?against=x", *wrong):
        assert pages.owner.get(path).status_code == 404, path


def test_archive_take_back_and_delete(pages: Pages, world: World) -> None:
    path = f"/types/{world.executable.pk}/keep"
    assert pages.stranger.post(path, {"do": "archive"}).status_code == 403
    assert pages.owner.post(path, {"do": "archive"}).status_code == 302
    world.executable.refresh_from_db()
    assert world.executable.datetime_archived is not None
    assert "takes no new instances" in text_of(pages.stranger.get(f"/types/{world.executable.pk}"))
    assert pages.owner.post(path, {"do": "unarchive"}).status_code == 302
    assert pages.owner.post(path, {"do": "explode"}).status_code == 404
    used = pages.owner.post(path, {"do": "delete", "confirmed": "1"})
    assert used.status_code == 400
    assert "Archive it instead" in text_of(used)
    fresh = TaskType.objects.create(name="unused", task_class="executable", user=world.users["owner"])
    there = f"/types/{fresh.pk}/keep"
    assert pages.owner.post(there, {"do": "delete"}).status_code == 200
    assert TaskType.objects.filter(pk=fresh.pk).exists()
    assert pages.owner.post(there, {"do": "delete", "confirmed": "1"})["Location"] == "/types"
    assert not TaskType.objects.filter(pk=fresh.pk).exists()


def test_a_type_shows_where_it_runs_and_how_long_it_took(pages: Pages, world: World) -> None:
    done = world.make(name="done", state=State.SUCCESSFUL)
    TaskInstance.objects.filter(pk=done.pk).update(datetime_finished=done.datetime_created)
    done.attempts.create(
        number=1,
        worker="w",
        datetime_claimed=done.datetime_created,
        datetime_started=done.datetime_created,
        datetime_finished=done.datetime_created,
    )
    bad = "<script>alert(1)</script>"
    TaskType.objects.filter(pk=world.executable.pk).update(description=bad)
    answer = pages.owner.get(f"/types/{world.executable.pk}")
    assert bad not in answer.content.decode()
    text = text_of(answer)
    assert '<rect class="state successful"' in text
    assert "client.executable_task_types.get(name=&#x27;count&#x27;)" in text
    assert f'href="/whitelists/{world.whitelist.pk}"' in text
    other = TaskWhitelist.objects.create(name="other-list", user=world.users["owner"])
    assert "other-list" in text_of(pages.owner.get(f"/types/{world.executable.pk}"))
    add = f"/types/{world.executable.pk}/add"
    assert pages.stranger.post(add, {"whitelist": str(other.pk)}).status_code == 403
    assert pages.owner.post(add, {"whitelist": str(other.pk)}).status_code == 302
    assert other.task_types.get() == world.executable
    assert pages.owner.post(add, {"whitelist": "x"}).status_code == 404


def test_who_may_edit(pages: Pages, world: World) -> None:
    path = f"/types/{world.executable.pk}/edit"
    for role, status in (("owner", 200), ("admin", 200), ("stranger", 403), ("queue_owner", 403)):
        assert pages[role].get(path).status_code == status
        assert ("/edit" in pages[role].get(f"/types/{world.executable.pk}").content.decode()) is (status == 200)
    assert pages.stranger.post(path, form_of(world.executable, description="No.")).status_code == 403
    for path in ("/types/x", "/types/9999", "/types/x/edit", "/types/new?like=x"):
        assert pages.owner.get(path).status_code == 404, path
    assert 'value="count-copy"' in text_of(pages.stranger.get(f"/types/new?like={world.executable.pk}"))


@pytest.mark.parametrize("odd", ["\0", "\ud800", "x" * 100_000, "\"'><script>", "[" * 5000, "9" * 5000, "-1", "\u202e"])
def test_odd_texts_are_taken_or_refused_in_words(pages: Pages, world: World, odd: str) -> None:
    text = odd.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    one, whitelist = world.executable.pk, world.whitelist.pk
    for name in form_of(world.executable):
        for path in ("/types/new", f"/types/{one}/edit"):
            answer = pages.owner.post(path, form_of(world.executable, **{name: text}))
            assert answer.status_code in (200, 302, 400), (path, name)
            assert "<script>" not in answer.content.decode()
    said = {"task_type": one, "task_queue": world.queue.pk}
    for name in ("argument:text", "arguments", "after", "revision", "kind:text", "labels"):
        assert pages.owner.post("/instances/run", {**said, name: text}).status_code in (302, 400), name
    for name in ("name", "description"):
        assert pages.owner.post("/whitelists/new", {"name": "w", name: text}).status_code in (302, 400)
    for do in (text, f"pin-{text}", f"pin-{one}"):
        answer = pages.owner.post(f"/whitelists/{whitelist}", {"do": do, f"revision-{one}": text, "type": text})
        assert answer.status_code in (302, 400, 404), do
    short = text[:500]
    for path in (
        "/types?q=",
        "/types?user__username=",
        f"/whitelists/{whitelist}?find=",
        "/whitelists?q=",
        "/types/new?like=",
    ):
        assert pages.owner.get(path + quote(short)).status_code in (200, 400, 404), path
    assert pages.owner.get(f"/types/{one}/history/1?against={quote(short)}").status_code == 404
    for path in (f"/types/{quote(short, safe='')}", f"/types/{one}/history/{quote(short, safe='')}"):
        assert pages.owner.get(path).status_code in (400, 404), path
