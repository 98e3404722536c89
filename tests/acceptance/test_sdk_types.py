"""The SDK's task types, against a real server."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from saltant import NotFound
from saltant.exceptions import BadRequest
from tests.acceptance.system import Site

pytestmark = pytest.mark.everywhere


def fresh(what: str = "type") -> str:
    return f"{what}-{uuid.uuid4()}"


def test_an_executable_type_from_birth_to_change(up: Site) -> None:
    types = up.client.executable_task_types
    name = fresh()
    made = types.create(name, "echo", "says", ["HOME"], ["who"], {"who": "ü"}, "--file")
    assert (made.name, made.command_to_run, made.description, made.json_file_option) == (name, "echo", "says", "--file")
    assert (made.environment_variables, made.required_arguments) == (["HOME"], ["who"])
    assert made.required_arguments_default_values == {"who": "ü"}
    assert abs(datetime.now(UTC) - made.datetime_created) < timedelta(minutes=5)
    assert made.user

    saved = types.put(made.id, name, "", "printf", None, ["a", "b"], None, None)
    assert (saved.description, saved.environment_variables, saved.json_file_option) == ("", [], None)
    assert made.command_to_run == "echo"
    assert made.sync() is made
    assert (made.command_to_run, made.required_arguments_default_values) == ("printf", {})

    made.description, made.required_arguments = "new", ["b"]
    assert made.put() is made
    assert types.get(made.id).description == types.get(name=name).description == "new"
    assert types.get(id=made.id).required_arguments == ["b"]
    assert made in types.list({"name": name})


def test_a_container_type_from_birth_to_change(up: Site) -> None:
    types = up.client.container_task_types
    name = fresh()
    made = types.create(name, "run", "ubuntu:24.04", "docker", results_path="/results", required_arguments=["a"])
    assert (made.container_image, made.container_type) == ("ubuntu:24.04", "docker")
    assert (made.logs_path, made.results_path) == ("", "/results")

    saved = types.put(made.id, name, "d", "go", [], [], {}, "/logs", None, "docker://ubuntu", "singularity")
    assert (saved.logs_path, saved.results_path, saved.container_type) == ("/logs", None, "singularity")
    made.sync()
    made.results_path = "/r"
    assert made.put().results_path == types.get(name=name).results_path == "/r"
    assert made in types.list({"container_type__in": ["singularity"], "name": name})


@pytest.mark.parametrize("manager", ["executable_task_types", "container_task_types"])
def test_types_that_are_not_there(up: Site, manager: str) -> None:
    types = getattr(up.client, manager)
    with pytest.raises(NotFound):
        types.get(987654321)
    with pytest.raises(NotFound):
        types.get(name=fresh())
    with pytest.raises(NotFound):
        types.get(name="")
    for wrong in ({}, {"id": 1, "name": "a"}):
        with pytest.raises(ValueError, match="either"):
            types.get(**wrong)


def test_field_errors_of_types(up: Site) -> None:
    types = up.client.executable_task_types
    name = types.create(fresh(), "echo").name
    with pytest.raises(BadRequest) as caught:
        types.create(name, "")
    assert caught.value.field_errors["command_to_run"] == ["This field may not be blank."]
    assert "already exists" in caught.value.field_errors["name"][0]
    with pytest.raises(BadRequest) as caught:
        types.create(fresh(), "echo", required_arguments_default_values={"who": 1})
    assert caught.value.field_errors.keys() == {"non_field_errors"}
