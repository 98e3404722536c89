"""The form that is made from a type's required arguments."""

import re
from typing import Any

import pytest

from saltant.server.tasks import services
from saltant.server.tasks.models import TaskInstance, TaskWhitelist
from tests.integration.conftest import World
from tests.integration.web.conftest import Pages

DEFAULTS = {"depth": 3, "rate": 0.5, "strict": True, "options": {"a": 1}, "language": "en"}


@pytest.fixture
def aligns(world: World) -> World:
    """A world whose executable has arguments of every kind."""
    changes = {"required_arguments": ["text", *DEFAULTS], "required_arguments_default_values": DEFAULTS}
    services.update_type(world.executable, changes, world.users["admin"])
    return world


def form_of(world: World, **said: str) -> dict[str, Any]:
    """What a browser sends; `said` are arguments."""
    kinds = {"depth": "number", "rate": "number", "strict": "boolean", "options": "json", "language": "text"}
    values = {"depth": "3", "rate": "0.5", "strict": "true", "options": '{"a": 1}', "language": "en", "text": "x"}
    form: dict[str, Any] = {"task_type": world.executable.pk, "task_queue": world.queue.pk, "kind:text": "text"}
    form |= {f"kind:{name}": kind for name, kind in kinds.items()}
    return form | {f"argument:{name}": value for name, value in (values | said).items()}


def test_each_argument_has_a_field_of_its_kind(pages: Pages, aligns: World) -> None:
    text = pages.stranger.get(f"/instances/run?type={aligns.executable.pk}").content.decode()
    assert re.search(r'<input [^>]*name="argument:depth" value="3" inputmode="decimal"', text)
    assert re.search(r'<select [^>]*name="argument:strict".*?<option selected>true</option>', text, re.DOTALL)
    assert re.search(r'<textarea [^>]*name="argument:options"[^>]*data-json="any".*?&quot;a&quot;: 1', text, re.DOTALL)
    assert re.search(r'<input [^>]*name="argument:language" value="en"', text)
    assert 'aria-label="Kind of text"' in text
    assert 'aria-label="Kind of depth"' not in text


@pytest.mark.parametrize(
    ("said", "more", "expected"),
    [
        ({}, {}, {}),
        ({"depth": "", "rate": "", "options": "", "strict": ""}, {}, {}),
        ({"language": ""}, {}, {"language": ""}),
        ({"depth": "7", "rate": "1e-3", "strict": "false"}, {}, {"depth": 7, "rate": 0.001, "strict": False}),
        ({"options": "[1, null]"}, {}, {"options": [1, None]}),
        ({"text": "two\r\nlines"}, {}, {"text": "two\nlines"}),
        ({"text": "12"}, {"kind:text": "number"}, {"text": 12}),
        ({"text": "12"}, {"kind:text": "odd"}, {"text": "12"}),
        ({}, {"arguments": '{"more": 1, "text": "fields win"}'}, {"more": 1}),
        ({"text": ""}, {"arguments": '{"text": null}'}, {"text": None}),
    ],
)
def test_what_is_said_is_run(
    pages: Pages, aligns: World, said: dict[str, str], more: dict[str, str], expected: dict[str, Any]
) -> None:
    answer = pages.stranger.post("/instances/run", form_of(aligns, **said) | more)
    assert answer.status_code == 302, answer.content.decode()
    made = TaskInstance.objects.get(user=aligns.users["stranger"])
    assert made.arguments == {"text": "x", **DEFAULTS} | expected


@pytest.mark.parametrize(
    ("said", "more"),
    [
        ({"text": ""}, {}),
        ({"depth": "three"}, {}),
        ({"depth": "true"}, {}),
        ({"strict": "yes"}, {}),
        ({"options": "{"}, {}),
        ({"rate": "NaN"}, {}),
        ({}, {"arguments": "[1]"}),
        ({}, {"after": "nonsense"}),
        ({}, {"after": "00000000-0000-0000-0000-000000000000 any"}),
        ({}, {"revision": "99"}),
        ({}, {"revision": "x"}),
    ],
)
def test_what_is_wrong_is_said_and_the_rest_stays(
    pages: Pages, aligns: World, said: dict[str, str], more: dict[str, str]
) -> None:
    answer = pages.stranger.post("/instances/run", form_of(aligns, **said) | more | {"name": "kept <b>"})
    text = answer.content.decode()
    assert answer.status_code == 400
    assert 'class="error' in text
    assert "kept &lt;b&gt;" in text
    assert not TaskInstance.objects.filter(user=aligns.users["stranger"]).exists()


def test_after_and_revision(pages: Pages, aligns: World) -> None:
    more = {"after": f"{aligns.instance.uuid} any\n\n", "revision": "1", "arguments": '{"text": "old"}'}
    said = {"task_type": aligns.executable.pk, "task_queue": aligns.queue.pk, **more}
    assert pages.stranger.post("/instances/run", said).status_code == 302
    made = TaskInstance.objects.get(user=aligns.users["stranger"])
    assert (made.revision, made.arguments) == (1, {"text": "old", "language": "en"})
    dependency = made.dependencies.get()
    assert (dependency.on, dependency.condition) == (aligns.instance, "any")


def test_a_queue_says_which_revision_it_runs_alone(pages: Pages, aligns: World) -> None:
    path = f"/instances/run?type={aligns.executable.pk}"
    assert "only revision" not in pages.owner.get(path).content.decode()
    services.pin(aligns.whitelist, {aligns.executable.pk: 1})
    for page in (path, f"/types/{aligns.executable.pk}"):
        assert "(only revision 1)" in pages.owner.get(page).content.decode(), page
    refused = pages.stranger.post("/instances/run", form_of(aligns))
    assert refused.status_code == 400
    assert "pins revision 1" in refused.content.decode()
    assert pages.stranger.post("/instances/run", form_of(aligns) | {"revision": "1"}).status_code == 302
    another = TaskWhitelist.objects.create(name="another", user=aligns.users["owner"])
    another.task_types.add(aligns.executable)
    aligns.queue.whitelists.add(another)
    assert "only revision" not in pages.owner.get(path).content.decode()


def test_an_edit_of_what_ran_has_its_values(pages: Pages, aligns: World) -> None:
    instance = services.submit(
        user=aligns.users["owner"],
        task_type=aligns.executable,
        task_queue=aligns.queue,
        arguments={"text": {"deep": 1}, "depth": "a text", "more": 2},
    )
    text = pages.owner.get(f"/instances/run?from={instance.uuid}").content.decode()
    assert re.search(r'<textarea [^>]*name="argument:text"[^>]*data-json="any"', text)
    assert re.search(r'<input [^>]*name="argument:depth" value="a text"', text)
    assert re.search(r'<textarea id="arguments".*?&quot;more&quot;: 2', text, re.DOTALL)
