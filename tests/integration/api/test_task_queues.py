"""taskqueues/."""

from typing import Any

import pytest

from saltant.server.audit.models import AuditEntry
from tests.integration.conftest import V2, Cast, Client, World

PATH = "/api/taskqueues/"
KEYS = [
    "id",
    "user",
    "name",
    "description",
    "private",
    "runs_executable_tasks",
    "runs_docker_container_tasks",
    "runs_singularity_container_tasks",
    "active",
    "whitelists",
]


def test_exact_body(owner: Client, world: World) -> None:
    body = (
        f'{{"id":{world.queue.id},"user":"queue_owner","name":"queue","description":"","private":false,'
        '"runs_executable_tasks":true,"runs_docker_container_tasks":true,"runs_singularity_container_tasks":true,'
        f'"active":true,"whitelists":[{world.whitelist.id}]}}'
    )
    assert owner.get(f"{PATH}{world.queue.id}").content.decode() == body
    listed = owner.get(PATH).json()
    assert [each["whitelists"] for each in listed["results"]] == [[world.whitelist.id], []]


@pytest.mark.parametrize("send", ["form", "json"])
def test_defaults(owner: Client, send: str) -> None:
    answer = getattr(owner, send)("POST", PATH, {"name": "q@+-_ü"})
    assert answer.status_code == 201
    body = answer.json()
    assert list(body) == KEYS
    assert list(body.values())[1:] == ["owner", "q@+-_ü", "", False, True, True, True, True, []]


@pytest.mark.parametrize("no", ["False", "false", "0"])
def test_a_form_with_everything(owner: Client, world: World, no: str) -> None:
    other = owner.form("POST", "/api/taskwhitelists/", {"name": "second"}).json()["id"]
    sent = dict.fromkeys(KEYS[5:9], no) | {"private": "True", "name": "q", "whitelists": [other, world.whitelist.id]}
    body = owner.form("POST", PATH, sent).json()
    assert [body[key] for key in KEYS[4:9]] == [True, False, False, False, False]
    assert body["whitelists"] == sorted([other, world.whitelist.id])


@pytest.mark.parametrize("name", ["a b", "a/b", "é!", "a\nb", "a.b", "x" * 51, ""])
def test_names_that_cannot_be(owner: Client, name: str) -> None:
    answer = owner.json("POST", PATH, {"name": name})
    assert answer.status_code == 400
    assert list(answer.json()) == ["name"]


def test_a_name_in_use(owner: Client, cast: Cast, world: World) -> None:
    message = {"name": ["task queue with this name already exists."]}
    assert owner.form("POST", PATH, {"name": "queue"}).json() == message
    assert cast.queue_owner.form("PATCH", f"{PATH}{world.queue.id}/", {"name": "other"}).json() == message
    assert cast.queue_owner.form("PATCH", f"{PATH}{world.queue.id}/", {"name": "queue"}).status_code == 200


@pytest.mark.parametrize(
    ("whitelists", "message"),
    [
        ([999], 'Invalid pk "999" - object does not exist.'),
        ([10**30], f'Invalid pk "{10**30}" - object does not exist.'),
        ([-1], 'Invalid pk "-1" - object does not exist.'),
        (["x"], "Incorrect type. Expected pk value, received str."),
        ([1.0], "Incorrect type. Expected pk value, received float."),
        ([True], "Incorrect type. Expected pk value, received bool."),
        ([None], "Incorrect type. Expected pk value, received NoneType."),
        ([[1]], "Incorrect type. Expected pk value, received list."),
        (5, 'Expected a list of items but got type "int".'),
        ("[1]", 'Expected a list of items but got type "str".'),
        ({}, 'Expected a list of items but got type "dict".'),
        (None, "This field may not be null."),
    ],
)
def test_whitelists_that_are_none(owner: Client, whitelists: Any, message: str) -> None:
    answer = owner.json("POST", PATH, {"name": "q", "whitelists": whitelists})
    assert (answer.status_code, answer.json()) == (400, {"whitelists": [message]})


@pytest.mark.parametrize("value", ["x", "", None, 2, [], "None"])
def test_booleans_that_are_none(owner: Client, value: Any) -> None:
    answer = owner.json("POST", PATH, {"name": "q", "private": value})
    assert answer.status_code == 400
    assert list(answer.json()) == ["private"]


class TestChange:
    """PUT and PATCH by the owner."""

    @pytest.fixture
    def path(self, cast: Cast, world: World) -> str:
        path = f"{PATH}{world.queue.id}/"
        changed = cast.queue_owner.json("PATCH", path, {"private": True, "runs_docker_container_tasks": False})
        assert changed.status_code == 200
        return path

    def test_form_put_without_lists_empties_them(self, cast: Cast, path: str) -> None:
        body = cast.queue_owner.form("PUT", path, {"name": "new"}).json()
        assert body["whitelists"] == []
        assert (body["name"], body["private"], body["runs_docker_container_tasks"]) == ("new", True, False)

    def test_json_put_without_lists_keeps_them(self, cast: Cast, world: World, path: str) -> None:
        body = cast.queue_owner.json("PUT", path, {"name": "new"}).json()
        assert body["whitelists"] == [world.whitelist.id]
        assert cast.queue_owner.json("PUT", path, {"name": "new", "whitelists": []}).json()["whitelists"] == []

    def test_form_patch_keeps_what_is_absent(self, cast: Cast, world: World, path: str) -> None:
        before = cast.queue_owner.get(path).json()
        assert before["whitelists"] == [world.whitelist.id]
        assert cast.queue_owner.form("PATCH", path, {}).json() == before
        after = cast.queue_owner.form("PATCH", path, {"active": "False"}).json()
        assert after == before | {"active": False}

    def test_json_patch_empties_a_list(self, cast: Cast, path: str) -> None:
        assert cast.queue_owner.json("PATCH", path, {"whitelists": []}).json()["whitelists"] == []

    def test_put_wants_what_is_required(self, cast: Cast, path: str) -> None:
        for send in (cast.queue_owner.form, cast.queue_owner.json):
            assert send("PUT", path, {"active": "True"}).json() == {"name": ["This field is required."]}

    def test_a_refused_change_changes_nothing(self, cast: Cast, path: str) -> None:
        before = cast.queue_owner.get(path).json()
        answer = cast.queue_owner.json("PATCH", path, {"name": "new", "whitelists": [999]})
        assert answer.status_code == 400
        assert cast.queue_owner.get(path).json() == before


@pytest.mark.parametrize("send", ["form", "json"])
def test_how_many_run_at_once(cast: Cast, world: World, send: str) -> None:
    path, client = f"/api/taskqueues/{world.queue.id}/", cast.queue_owner

    def limit(client: Client) -> Any:
        return client.get2(path).json()["max_running"]

    assert limit(client) is None
    assert getattr(client, send)("PATCH", path, {"max_running": 2}, HTTP_ACCEPT=V2).json()["max_running"] == 2
    said = {"name": "queue", "max_running": 5, "whitelists": [world.whitelist.id]}
    assert "max_running" not in getattr(client, send)("PUT", path, said).json()
    assert limit(client) == 2, "version 1 does not look at it"
    del said["max_running"]
    assert getattr(client, send)("PUT", path, said, HTTP_ACCEPT=V2).json()["max_running"] == 2
    nothing = "" if send == "form" else None
    assert getattr(client, send)("PUT", path, said | {"max_running": nothing}, HTTP_ACCEPT=V2).status_code == 200
    assert limit(client) is None
    made = getattr(client, send)("POST", "/api/taskqueues/", {"name": "new", "max_running": 7}, HTTP_ACCEPT=V2)
    assert (made.status_code, made.json()["max_running"]) == (201, 7)
    changes = [entry.details["max_running"] for entry in AuditEntry.objects.filter(object_name="queue")]
    assert changes[::-1] == [[None, 2], [2, None]]
