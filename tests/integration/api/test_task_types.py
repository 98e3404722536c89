"""executabletasktypes/ and containertasktypes/."""

import json
from typing import Any

import pytest

from saltant.server.tasks.models import TaskType
from tests.integration.conftest import Cast, Client, World

EXECUTABLES, CONTAINERS = "/api/executabletasktypes/", "/api/containertasktypes/"
COMMON = [
    "id",
    "user",
    "name",
    "description",
    "datetime_created",
    "command_to_run",
    "environment_variables",
    "required_arguments",
    "required_arguments_default_values",
]
CONTAINER = {"name": "c", "command_to_run": "run", "container_image": "i", "container_type": "singularity"}


def test_exact_body(owner: Client, world: World) -> None:
    created = world.executable.datetime_created.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    body = (
        f'{{"id":{world.executable.id},"user":"owner","name":"count","description":"","datetime_created":"{created}",'
        '"command_to_run":"count --words","environment_variables":[],"required_arguments":["text", "language"],'
        '"required_arguments_default_values":{"language": "en"},"json_file_option":null}'
    )
    assert owner.get(f"{EXECUTABLES}{world.executable.id}/").content.decode() == body
    assert owner.get(EXECUTABLES).content.decode() == f'{{"count":1,"next":null,"previous":null,"results":[{body}]}}'


def test_microseconds_are_always_there(owner: Client, world: World) -> None:
    world.executable.datetime_created = world.executable.datetime_created.replace(microsecond=0)
    world.executable.save()
    assert owner.get(f"{EXECUTABLES}{world.executable.id}").json()["datetime_created"].endswith(".000000Z")


def test_key_order(owner: Client, world: World) -> None:
    assert list(owner.get(f"{EXECUTABLES}{world.executable.id}/").json()) == [*COMMON, "json_file_option"]
    assert list(owner.get(f"{CONTAINERS}{world.container.id}/").json()) == [
        *COMMON,
        "logs_path",
        "results_path",
        "container_image",
        "container_type",
    ]


def test_an_id_of_the_other_class_is_unknown(owner: Client, world: World) -> None:
    assert owner.get(f"{CONTAINERS}{world.executable.id}/").status_code == 404
    assert owner.form("PUT", f"{CONTAINERS}{world.executable.id}/", CONTAINER).status_code == 404
    assert [each["id"] for each in owner.get(CONTAINERS).json()["results"]] == [world.container.id]


@pytest.mark.parametrize("name", ["0", "-1", "x", "1.0", "%D9%A1", "9" * 19, "9" * 30, "9" * 5000, "1%00", "%20"])
def test_unknown_ids(owner: Client, name: str) -> None:
    answer = owner.get(f"{EXECUTABLES}{name}/")
    assert (answer.status_code, answer.content) == (404, b'{"detail":"Not found."}')


def test_defaults_of_a_form(owner: Client) -> None:
    answer = owner.form("POST", EXECUTABLES, {"name": "t", "command_to_run": "true"})
    assert answer.status_code == 201
    body = answer.json()
    assert body.pop("id")
    assert body.pop("datetime_created")
    assert body == {
        "user": "owner",
        "name": "t",
        "description": "",
        "command_to_run": "true",
        "environment_variables": [],
        "required_arguments": [],
        "required_arguments_default_values": {},
        "json_file_option": None,
    }


def test_a_form_with_everything(owner: Client) -> None:
    sent = {
        **CONTAINER,
        "description": "dé & co",
        "logs_path": "/logs",
        "results_path": "",
        "environment_variables": json.dumps(["HOME"]),
        "required_arguments": json.dumps(["z", "a", ""]),
        "required_arguments_default_values": json.dumps({"z": [1, {"y": None}], "a": 12345678901234567890123}),
    }
    answer = owner.form("POST", CONTAINERS, sent)
    assert answer.status_code == 201
    body = answer.json()
    assert body["environment_variables"] == ["HOME"]
    assert body["required_arguments"] == ["z", "a", ""]
    assert list(body["required_arguments_default_values"].items()) == [
        ("z", [1, {"y": None}]),
        ("a", 12345678901234567890123),
    ]
    assert (body["description"], body["logs_path"], body["results_path"]) == ("dé & co", "/logs", "")
    assert owner.get(f"{CONTAINERS}{body['id']}/").json() == body


def test_multipart(owner: Client) -> None:
    answer = owner.post(EXECUTABLES, {"name": "m", "command_to_run": "true", "required_arguments": '["ü"]'})
    assert answer.status_code == 201
    assert answer.json()["required_arguments"] == ["ü"]


def test_json_and_read_only_keys(owner: Client) -> None:
    sent = CONTAINER | {"id": 7777, "user": "admin", "datetime_created": "x", "nonsense": 1, "logs_path": None}
    body = owner.json("POST", CONTAINERS, sent).json()
    assert body["user"] == "owner"
    assert body["id"] != 7777
    assert body["logs_path"] is None


REQUIRED, BLANK, NULL = ["This field is required."], ["This field may not be blank."], ["This field may not be null."]


@pytest.mark.parametrize("send", ["form", "json"])
def test_missing_keys(owner: Client, send: str) -> None:
    answer = getattr(owner, send)("POST", EXECUTABLES, {})
    assert (answer.status_code, answer.json()) == (400, {"name": REQUIRED, "command_to_run": REQUIRED})
    answer = getattr(owner, send)("POST", CONTAINERS, {"name": "", "command_to_run": " "})
    assert answer.json() == {
        "name": BLANK,
        "command_to_run": BLANK,
        "container_image": REQUIRED,
        "container_type": REQUIRED,
    }


def test_names_are_unique_within_a_class(owner: Client, world: World) -> None:
    sent = {"name": "count", "command_to_run": "true"}
    answer = owner.form("POST", EXECUTABLES, sent)
    assert (answer.status_code, answer.json()) == (
        400,
        {"name": ["executable task type with this name already exists."]},
    )
    answer = owner.form("POST", CONTAINERS, CONTAINER | {"name": "count"})
    assert answer.json() == {"name": ["container task type with this name already exists."]}
    assert owner.form("POST", EXECUTABLES, sent | {"name": "c"}).status_code == 201
    assert owner.form("POST", CONTAINERS, CONTAINER | {"name": "c"}).status_code == 201
    assert owner.form("PUT", f"{EXECUTABLES}{world.executable.id}/", sent).status_code == 200, "its own name"


@pytest.mark.parametrize("field", COMMON[-3:])
@pytest.mark.parametrize("text", ["{", "", "[1,]", "NaN", "[1e999]", "[" * 5000, "9" * 5000, "{'a': 1}", "\0"])
def test_json_strings_that_do_not_parse(owner: Client, field: str, text: str) -> None:
    answer = owner.form("POST", EXECUTABLES, {"name": "t", "command_to_run": "true", field: text})
    assert (answer.status_code, answer.json()) == (400, {field: ["Value must be valid JSON."]})


LIST, DICT = 'Expected a list of items but got type "{}".', 'Expected a dictionary of items but got type "{}".'


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("environment_variables", {}, LIST.format("dict")),
        ("environment_variables", "HOME", LIST.format("str")),
        ("environment_variables", None, *NULL),
        ("environment_variables", [1], "Not a valid string."),
        ("environment_variables", ["A", None], *NULL),
        ("environment_variables", [["A"]], "Not a valid string."),
        ("environment_variables", [""], *BLANK),
        ("environment_variables", ["A=B"], '"A=B" is no name of an environment variable: it holds "=".'),
        ("environment_variables", ["A\0"], "Null characters are not allowed."),
        ("environment_variables", ["\ud800"], "Surrogate characters are not allowed: U+D800."),
        ("required_arguments", 5, LIST.format("int")),
        ("required_arguments", [True], "Not a valid string."),
        ("required_arguments", ["\0"], "Null characters are not allowed."),
        ("required_arguments_default_values", [], DICT.format("list")),
        ("required_arguments_default_values", "{}", DICT.format("str")),
        ("required_arguments_default_values", None, *NULL),
        ("required_arguments_default_values", {"a": ["\0"]}, "The value may not hold NUL characters."),
        ("required_arguments_default_values", {"\ud800": 1}, "The value may not hold lone surrogates."),
        ("command_to_run", "echo 'a", "The command cannot be split into words: No closing quotation."),
        ("command_to_run", "x\0", "Null characters are not allowed."),
        ("command_to_run", "x" * 401, "Ensure this field has no more than 400 characters."),
        ("command_to_run", ["a"], "Not a valid string."),
        ("name", "x" * 201, "Ensure this field has no more than 200 characters."),
        ("name", None, *NULL),
        ("name", "\udfff", "Surrogate characters are not allowed: U+DFFF."),
        ("json_file_option", "x" * 51, "Ensure this field has no more than 50 characters."),
    ],
)
def test_values_that_cannot_be(owner: Client, field: str, value: Any, message: str) -> None:
    sent = {"name": "t", "command_to_run": "true", "required_arguments": ["a"], field: value}
    answer = owner.json("POST", EXECUTABLES, sent)
    assert (answer.status_code, answer.json()) == (400, {field: [message]})
    assert not TaskType.objects.filter(name="t").exists()


@pytest.mark.parametrize("kind", ["", "Docker", "lxc"])
def test_container_types(owner: Client, kind: str) -> None:
    answer = owner.form("POST", CONTAINERS, CONTAINER | {"container_type": kind})
    assert answer.json() == {"container_type": [f'"{kind}" is not a valid choice.']}


@pytest.mark.parametrize("send", ["form", "json"])
def test_a_default_of_no_required_argument(owner: Client, world: World, send: str) -> None:
    def value(data: Any) -> Any:
        return json.dumps(data) if send == "form" else data

    sent = {"name": "t", "command_to_run": "true", "required_arguments_default_values": value({"b": 1})}
    answer = getattr(owner, send)("POST", EXECUTABLES, sent)
    message = "Default values name arguments that are not required: 'b'."
    assert (answer.status_code, answer.json()) == (400, {"non_field_errors": [message]})
    # Also when the type keeps its default values, and loses the argument.
    sent = {"name": "count", "command_to_run": "true", "required_arguments": value(["text"])}
    answer = getattr(owner, send)("PUT", f"{EXECUTABLES}{world.executable.id}/", sent)
    assert answer.json() == {"non_field_errors": ["Default values name arguments that are not required: 'language'."]}


def test_put_keeps_what_is_absent(owner: Client, world: World) -> None:
    path = f"{CONTAINERS}{world.container.id}/"
    full = CONTAINER | {"description": "d", "logs_path": "/l", "environment_variables": '["A"]'}
    before = owner.form("PUT", path, full)
    assert before.status_code == 200
    again = owner.form("PUT", path, CONTAINER)
    assert again.json() == before.json()
    assert owner.get(path).json() == before.json()
    assert before.json()["datetime_created"] == owner.get(path).json()["datetime_created"]
    emptied = owner.json("PUT", path, CONTAINER | {"logs_path": None, "description": "", "environment_variables": []})
    assert (emptied.json()["logs_path"], emptied.json()["environment_variables"]) == (None, [])
    assert owner.form("PUT", path, {"name": "x"}).json() == {
        "command_to_run": REQUIRED,
        "container_image": REQUIRED,
        "container_type": REQUIRED,
    }


def test_an_admin_changes_but_does_not_take_over(cast: Cast, world: World) -> None:
    path = f"{EXECUTABLES}{world.executable.id}/"
    body = cast.admin.form("PUT", path, {"name": "n", "command_to_run": "c"}).json()
    assert (body["user"], body["name"]) == ("owner", "n")


@pytest.mark.parametrize("method", ["PATCH", "DELETE", "POST"])
def test_other_methods(owner: Client, world: World, method: str) -> None:
    answer = owner.json(method, f"{EXECUTABLES}{world.executable.id}/", {})
    assert (answer.status_code, answer.json()) == (405, {"detail": f'Method "{method}" not allowed.'})


def test_head_and_options(owner: Client, world: World) -> None:
    for path in (EXECUTABLES, f"{EXECUTABLES}{world.executable.id}/"):
        assert owner.head(path).status_code == 200
        options = owner.options(path)
        assert options.status_code == 200
        assert options["Content-Type"] == "application/json"


def test_a_type_without_an_owner(owner: Client, world: World) -> None:
    world.executable.user = None
    world.executable.save()
    assert owner.get(f"{EXECUTABLES}{world.executable.id}/").json()["user"] is None
    assert owner.form("PUT", f"{EXECUTABLES}{world.executable.id}/", {}).status_code == 403
