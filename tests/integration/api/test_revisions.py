"""What types were: …tasktypes/{id}/revisions/, and instances of them."""

import json
from typing import Any

import pytest

from saltant.server.audit.models import AuditEntry
from saltant.server.tasks.models import TaskInstance, TaskQueue, TaskType, TaskWhitelist
from tests.integration.conftest import V2, Cast, Client, World

TYPES = "/api/executabletasktypes/"
INSTANCES = "/api/executabletaskinstances/"


def ask(client: Client, method: str, path: str, data: Any = None) -> Any:
    """The answer to a request of version 2."""
    return client.json(method, path, data or {}, HTTP_ACCEPT=V2)


@pytest.fixture
def made(cast: Cast, world: World) -> dict[str, Any]:
    """A type of the owner's, on a whitelist of theirs."""
    said = {"name": "count lines", "command_to_run": "wc -l", "timeout": 60, "required_arguments": ["path"]}
    answer = ask(cast.owner, "POST", TYPES, said)
    assert (answer.status_code, answer.json()["revision"]) == (201, 1)
    found: dict[str, Any] = answer.json()
    world.whitelist.task_types.add(found["id"])
    return found


def change(client: Client, made: dict[str, Any], **changes: Any) -> Any:
    """What a type is after a PUT."""
    answer = ask(client, "PUT", f"{TYPES}{made['id']}/", made | changes)
    assert answer.status_code == 200, answer.json()
    return answer.json()


def run(client: Client, made: dict[str, Any], world: World, **more: Any) -> Any:
    """The answer to a request that makes an instance."""
    said = {"task_type": made["id"], "task_queue": world.queue.pk, "arguments": {"path": "a b"}, **more}
    return ask(client, "POST", INSTANCES, said)


def history(client: Client, made: dict[str, Any]) -> list[Any]:
    """The revisions of a type, the newest first."""
    found: list[Any] = client.get2(f"{TYPES}{made['id']}/revisions/").json()["results"]
    return found


def test_every_change_makes_a_revision_that_stays(cast: Cast, made: dict[str, Any], world: World) -> None:
    [first] = history(cast.stranger, made)
    assert (first["number"], first["changed_by"], first["changes"]) == (1, "owner", {})
    assert first["values"] == {name: made[name] for name in first["values"]}
    assert {"name", "description", "command_to_run", "json_file_option", "timeout", "gpus"} < set(first["values"])
    assert change(cast.owner, made)["revision"] == 1  # it says what is there
    change(cast.admin, made, description="Counts.", timeout=61, required_arguments_default_values={"path": 1})
    assert change(cast.owner, made, timeout=61, required_arguments_default_values={"path": True})["revision"] == 3
    third, second, again = history(cast.stranger, made)
    assert again == first
    assert second["changed_by"] == "admin"
    assert second["changes"] == {
        "description": ["", "Counts."],
        "required_arguments_default_values": [{}, {"path": 1}],
        "timeout": [60.0, 61.0],
    }
    assert third["changes"] == {
        "description": ["Counts.", ""],
        "required_arguments_default_values": [{"path": 1}, {"path": True}],
    }
    world.users["admin"].delete()
    path = f"{TYPES}{made['id']}/revisions/2/"
    assert cast.owner.get2(path).json() == second
    assert {ask(cast.owner, method, path).status_code for method in ("PUT", "PATCH", "DELETE", "POST")} == {405}


def test_pages_of_revisions(owner: Client, made: dict[str, Any]) -> None:
    for number in range(2, 6):
        change(owner, made, description=str(number))
    path = f"{TYPES}{made['id']}/revisions/"
    page = owner.get2(path, {"page_size": 2}).json()
    assert ([each["number"] for each in page["results"]], page["count"]) == ([5, 4], 5)
    page = owner.get2(path, {"cursor": "", "page_size": 3, "ordering": "number"}).json()
    assert [each["number"] for each in page["results"]] == [1, 2, 3]
    assert [each["number"] for each in owner.get2(page["next"]).json()["results"]] == [4, 5]
    assert owner.get2(path, {"nonsense": 1}).status_code == 400
    assert owner.get2(f"{TYPES}{2**40}/revisions/").status_code == 404
    for number in ("0", "6", "x", "9" * 30, "٣"):
        assert owner.get2(f"{path}{number}/").status_code == 404


def test_differences(owner: Client, made: dict[str, Any]) -> None:
    change(owner, made, description="a")
    change(owner, made, command_to_run="wc -c")
    path = f"{TYPES}{made['id']}/revisions"
    assert owner.get2(f"{path}/1/diff/").json() == {"number": 1, "against": None, "changes": {}}
    commands, texts = {"command_to_run": ["wc -l", "wc -c"]}, {"description": ["a", ""]}
    assert owner.get2(f"{path}/3/diff/").json() == {"number": 3, "against": 2, "changes": texts | commands}
    assert owner.get2(f"{path}/3/diff/", {"against": 1}).json()["changes"] == commands
    assert owner.get2(f"{path}/1/diff/", {"against": 3}).json()["changes"] == {"command_to_run": ["wc -c", "wc -l"]}
    assert owner.get2(f"{path}/1/diff/", {"against": "4"}).json() == {"against": ["The type has no such revision."]}
    unknown = owner.get2(f"{path}/4/diff/")
    assert (unknown.status_code, unknown.json()) == (404, {"detail": "The type has no such revision."})


def test_going_back_makes_a_revision_and_keeps_the_rules(cast: Cast, made: dict[str, Any], world: World) -> None:
    others = TaskWhitelist.objects.create(name="others", user=world.users["stranger"])
    changed = change(cast.owner, made, command_to_run="wc -c", name="count characters")
    others.task_types.add(made["id"])
    path = f"{TYPES}{made['id']}/revisions/1/restore/"
    assert ask(cast.stranger, "POST", path).status_code == 403
    answer = ask(cast.owner, "POST", path)
    assert answer.status_code == 200
    back = answer.json()
    assert back.pop("removed_from_whitelists") == [{"id": others.pk, "name": "others"}]
    assert back == made | {"revision": 3}
    assert history(cast.owner, made)[0]["changes"]["command_to_run"] == ["wc -c", "wc -l"]
    entry = AuditEntry.objects.filter(object_id=str(made["id"])).first()
    assert entry is not None
    assert (entry.action, entry.actor, entry.details["revision"]) == ("restore", "owner", 1)
    assert entry.details["command_to_run"] == ["wc -c", "wc -l"]
    assert ask(cast.owner, "POST", path).json()["revision"] == 3  # it is there already
    TaskType.objects.create(task_class="executable", name=changed["name"], command_to_run="x")
    refused = ask(cast.owner, "POST", path.replace("/1/", "/2/"))
    assert refused.status_code == 400
    assert refused.json() == {"name": ["executable task type with this name already exists."]}


def test_an_instance_is_of_a_revision(owner: Client, made: dict[str, Any], world: World) -> None:
    change(owner, made, command_to_run="wc -c 'x y' $HOME", json_file_option="--json", timeout=5)
    new, old = run(owner, made, world).json(), run(owner, made, world, revision=1).json()
    assert (new["revision"], new["timeout"]) == (2, 5.0)
    assert new["command"] == ["wc", "-c", "x y", "$HOME", "--json", "arguments.json"]
    assert (old["revision"], old["timeout"], old["command"]) == (1, 60.0, ["wc", "-l", '{"path": "a b"}'])
    assert owner.get2(f"{INSTANCES}{old['uuid']}/").json()["command"] == old["command"]
    assert TaskInstance.objects.get(uuid=old["uuid"]).snapshot["command_to_run"] == "wc -l"
    assert run(owner, made, world, revision=3).json() == {
        "revision": ["The task type 'count lines' has no revision 3: its newest is 2."]
    }
    for wrong in (0, "x", -1, 2**40, [1]):
        assert list(run(owner, made, world, revision=wrong).json()) == ["revision"]
    long = run(owner, made, world, arguments={"path": "x" * 20_000}, revision=1).json()
    assert long["command"] is None
    assert "command" not in owner.get(f"{INSTANCES}{old['uuid']}/").json()


def test_a_clone_as_it_was(owner: Client, made: dict[str, Any], world: World) -> None:
    old = run(owner, made, world, priority=7).json()
    change(owner, made, command_to_run="wc -c", timeout=5, required_arguments=["other"])
    path = f"{INSTANCES}{old['uuid']}/clone/"
    assert ask(owner, "POST", path).json() == {"non_field_errors": ["Required arguments are missing: 'other'."]}
    as_was = ask(owner, "POST", path, {"as_was": True}).json()
    kept = ("revision", "command", "timeout", "priority", "arguments")
    assert [as_was[key] for key in kept] == [old[key] for key in kept]
    assert ask(owner, "POST", path, {"as_was": "maybe"}).json() == {"as_was": ["Must be a valid boolean."]}
    assert owner.form("POST", path, {"as_was": "true"}, HTTP_ACCEPT=V2).status_code == 201
    assert owner.post(path, {"as_was": "true"}).status_code == 400  # version 1 knows nothing of it

    said = {"uuids": [old["uuid"], as_was["uuid"]], "as_was": True}
    results = ask(owner, "POST", f"{INSTANCES}clone/", said).json()["results"]
    assert [each["instance"]["command"] for each in results] == [old["command"]] * 2
    # Rules of queues are those of today.
    TaskQueue.objects.update(active=False)
    assert list(ask(owner, "POST", path, {"as_was": True}).json()) == ["task_queue"]


def test_many_of_several_revisions(owner: Client, made: dict[str, Any], world: World) -> None:
    change(owner, made, command_to_run="wc -c")
    item = {"task_type": made["id"], "task_queue": world.queue.pk, "arguments": {"path": "p"}}
    items = [{**item, "revision": number} for number in (1, 2, 9, None, 1)] + [item]
    results = ask(owner, "POST", f"{INSTANCES}many/", {"instances": items}).json()["results"]
    numbers = [each["instance"]["revision"] if "instance" in each else each["errors"] for each in results]
    wrong = {"revision": ["The task type 'count lines' has no revision 9: its newest is 2."]}
    assert numbers == [1, 2, wrong, 2, 1, 2]


def test_a_pin_allows_one_revision(cast: Cast, made: dict[str, Any], world: World) -> None:
    whitelist, pk = f"/api/taskwhitelists/{world.whitelist.pk}/", str(made["id"])
    old = run(cast.owner, made, world).json()
    pin = {"pinned_revisions": {pk: 1}}
    assert ask(cast.stranger, "PATCH", whitelist, pin).status_code == 403
    assert ask(cast.owner, "PATCH", whitelist, pin).json()["pinned_revisions"] == {pk: 1}
    entry = AuditEntry.objects.filter(object_kind="task whitelist").first()
    assert entry is not None
    assert entry.details == {"pinned_revisions": [{"count lines": None}, {"count lines": 1}]}
    TaskType.objects.filter(pk=made["id"]).update(user=world.users["stranger"])
    # Somebody else's change does not take it off: what is pinned is as it was.
    changed = change(cast.stranger, made, command_to_run="rm -r")
    assert (changed["revision"], changed["removed_from_whitelists"]) == (2, [])

    refused = run(cast.stranger, made, world)
    assert refused.status_code == 400
    [why] = refused.json()["non_field_errors"]
    assert "pins revision 1" in why
    assert "Say revision=1, or have the whitelist's owner pin revision 2." in why
    for item in ({"revision": 1}, {"revision": 2}):
        assert run(cast.stranger, made, world, **item).status_code == (201 if item["revision"] == 1 else 400)
    path = f"{INSTANCES}{old['uuid']}/clone/"
    assert ask(cast.stranger, "POST", path).status_code == 400
    assert ask(cast.stranger, "POST", path, {"as_was": True}).json()["revision"] == 1
    items = [
        {"task_type": made["id"], "task_queue": world.queue.pk, "arguments": {"path": ""}, **more}
        for more in ({"revision": 1}, {}, {"revision": 1})
    ]
    results = ask(cast.stranger, "POST", f"{INSTANCES}many/", {"instances": items}).json()["results"]
    assert ["instance" in each for each in results] == [True, False, True]

    # Whoever unpins it has looked at what it is now, and at nothing in between.
    change(cast.stranger, made, command_to_run="wc -w")
    assert ask(cast.owner, "PUT", whitelist, {"name": "list", "pinned_revisions": {pk: None}}).status_code == 200
    assert cast.owner.get2(whitelist).json()["pinned_revisions"] == {}
    assert run(cast.stranger, made, world).json()["revision"] == 3
    assert run(cast.stranger, made, world, revision=2).status_code == 400


def test_what_cannot_be_pinned(owner: Client, made: dict[str, Any], world: World) -> None:
    whitelist = f"/api/taskwhitelists/{world.whitelist.pk}/"
    other = TaskType.objects.create(task_class="executable", name="other", command_to_run="x")
    for pins, why in (
        ({str(made["id"]): 2}, f"The task type {made['id']} has no revision 2: its newest is 1."),
        ({str(other.pk): 1}, f"The task type {other.pk} is not on this whitelist: put it there first."),
    ):
        assert ask(owner, "PATCH", whitelist, {"pinned_revisions": pins}).json() == {"pinned_revisions": [why]}
    for nonsense in ({"x": 1}, {"1": "1"}, {"1": True}, {"1": 0}, {"-1": 1}, [1], {"1": 1.5}, {"9" * 40: 1}, 3):
        answer = ask(owner, "PATCH", whitelist, {"pinned_revisions": nonsense})
        assert (answer.status_code, list(answer.json())) == (400, ["pinned_revisions"])
    assert owner.get2(whitelist).json()["pinned_revisions"] == {}
    assert "pinned_revisions" not in owner.get(whitelist).json()


def test_pins_come_and_go_with_members(owner: Client, made: dict[str, Any], world: World) -> None:
    change(owner, made, command_to_run="wc -c")
    pins = {str(made["id"]): 1}
    said = {"name": "new", "whitelisted_executable_task_types": [made["id"]], "pinned_revisions": pins}
    new = ask(owner, "POST", "/api/taskwhitelists/", said).json()
    assert new["pinned_revisions"] == pins
    path, members = f"/api/taskwhitelists/{new['id']}/", {"executable_task_types": [made["id"]]}
    assert ask(owner, "POST", f"{path}remove/", members).json()["pinned_revisions"] == {}
    assert ask(owner, "POST", f"{path}add/", members).json()["pinned_revisions"] == {}
    assert ask(owner, "POST", f"{path}add/", {"pinned_revisions": pins}).json()["pinned_revisions"] == pins
    form = {"pinned_revisions": json.dumps({str(made["id"]): 2})}
    assert owner.form("PATCH", path, form, HTTP_ACCEPT=V2).json()["pinned_revisions"] == {str(made["id"]): 2}
    assert ask(owner, "PATCH", path, {"whitelisted_executable_task_types": []}).json()["pinned_revisions"] == {}


def test_a_whitelist_allows_no_revision_from_before_it_held_the_type(
    owner: Client, made: dict[str, Any], world: World
) -> None:
    old = run(owner, made, world).json()
    change(owner, made, command_to_run="wc -c")
    assert run(owner, made, world, revision=1).status_code == 201  # the whitelist has had it
    world.whitelist.task_types.remove(made["id"])
    world.whitelist.task_types.add(made["id"])
    for answer in (
        run(owner, made, world, revision=1),
        ask(owner, "POST", f"{INSTANCES}{old['uuid']}/clone/", {"as_was": True}),
    ):
        assert answer.status_code == 400
        assert "allows revision 2 and later" in answer.json()["non_field_errors"][0]
    assert change(owner, made, command_to_run="wc -w")["revision"] == 3
    assert run(owner, made, world, revision=2).status_code == 201


def test_an_instance_from_before_there_were_revisions(owner: Client, world: World) -> None:
    snapshot = {"command_to_run": "count --old"}
    old = world.make(snapshot=snapshot, arguments={"text": "a"})
    path = f"{INSTANCES}{old.uuid}/"
    assert [owner.get2(path).json()[key] for key in ("revision", "command")] == [
        None,
        ["count", "--old", '{"text": "a"}'],
    ]
    clone = ask(owner, "POST", f"{path}clone/", {"as_was": True}).json()
    assert (clone["revision"], clone["command"]) == (None, ["count", "--old", '{"text": "a"}'])
    ask(owner, "PATCH", f"/api/taskwhitelists/{world.whitelist.pk}/", {"pinned_revisions": {world.executable.pk: 1}})
    refused = ask(owner, "POST", f"{path}clone/", {"as_was": True}).json()
    assert "does not run what it was before" in refused["non_field_errors"][0]


def test_a_container_keeps_what_containers_have(owner: Client, world: World) -> None:
    said = {"name": "box", "command_to_run": "", "container_image": "a:1", "container_type": "docker"}
    answer = ask(owner, "POST", "/api/containertasktypes/", said | {"command_to_run": "run"})
    made = answer.json()
    world.whitelist.task_types.add(made["id"])
    ask(owner, "PUT", f"/api/containertasktypes/{made['id']}/", made | {"container_image": "a:2", "network": "none"})
    body = {"task_type": made["id"], "task_queue": world.queue.pk, "arguments": {"a": 1}, "revision": 1}
    instance = ask(owner, "POST", "/api/containertaskinstances/", body).json()
    assert instance["command"] == ["run", '{"a": 1}']
    snapshot = TaskInstance.objects.get(uuid=instance["uuid"]).snapshot
    assert (snapshot["container_image"], snapshot["network"]) == ("a:1", "default")
    [new, _] = owner.get2(f"/api/containertasktypes/{made['id']}/revisions/").json()["results"]
    assert new["changes"] == {"container_image": ["a:1", "a:2"], "network": ["default", "none"]}
