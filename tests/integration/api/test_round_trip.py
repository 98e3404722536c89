"""What goes in as JSON comes out as it was."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saltant.server.tasks.models import TaskQueue
from tests.integration.conftest import Client, World

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=5)
HYPOTHESIS = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are alike to the last digit, in the order of their keys too."""
    return json.dumps(one) == json.dumps(other)


@HYPOTHESIS
@given(arguments=OBJECTS, send=st.sampled_from(["form", "json"]))
def test_arguments(owner: Client, world: World, arguments: dict[str, Any], send: str) -> None:
    sent: dict[str, Any] = {"task_queue": world.queue.id, "task_type": world.container.id}
    sent["arguments"] = json.dumps(arguments, ensure_ascii=len(arguments) % 2 == 0) if send == "form" else arguments
    made = getattr(owner, send)("POST", "/api/containertaskinstances/", sent)
    assert made.status_code == 201
    assert same(made.json()["arguments"], arguments)
    path = f"/api/containertaskinstances/{made.json()['uuid']}/"
    assert same(owner.get(path).json()["arguments"], arguments)
    assert same(owner.post(f"{path}clone/").json()["arguments"], arguments)


@HYPOTHESIS
@given(defaults=OBJECTS, send=st.sampled_from(["form", "json"]))
def test_default_values(owner: Client, world: World, defaults: dict[str, Any], send: str) -> None:
    sent = {"required_arguments": list(defaults), "required_arguments_default_values": defaults}
    if send == "form":
        sent = {key: json.dumps(value) for key, value in sent.items()}
    path = f"/api/executabletasktypes/{world.executable.id}/"
    body = getattr(owner, send)("PUT", path, sent | {"name": "count", "command_to_run": "x"}).json()
    assert same(body["required_arguments_default_values"], defaults)
    made = owner.json(
        "POST", "/api/executabletaskinstances/", {"task_queue": world.queue.id, "task_type": world.executable.id}
    )
    assert same(made.json()["arguments"], defaults)


@HYPOTHESIS
@given(description=TEXT, private=st.booleans())
def test_texts_and_booleans_of_a_form(owner: Client, world: World, description: str, private: bool) -> None:
    name = "t"
    TaskQueue.objects.filter(name=name).delete()
    body = owner.form(
        "POST", "/api/taskqueues/", {"name": name, "description": description, "private": str(private)}
    ).json()
    assert body["private"] is private
    assert body["description"] == description.strip()
    found = owner.get("/api/taskqueues/", {"description": body["description"]}).json()["results"]
    assert body["id"] in [each["id"] for each in found]


@pytest.mark.parametrize("digits", [4300, 4301])
def test_the_longest_integers(owner: Client, world: World, digits: int) -> None:
    text = '{"n": %s}' % ("9" * digits)
    sent = {"task_queue": world.queue.id, "task_type": world.container.id, "arguments": text}
    answer = owner.form("POST", "/api/containertaskinstances/", sent)
    assert answer.status_code == (201 if digits == 4300 else 400)
    assert answer.status_code == 400 or f'"n": {"9" * digits}'.encode() in answer.content
