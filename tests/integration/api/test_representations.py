"""Bodies are written without serializers: this holds them to what serializers would have said."""

import json
from typing import Any

import pytest

from saltant.server.api.resources import INSTANCES, QUEUES, TYPES, USERS, WHITELISTS, Resource
from saltant.server.tasks.models import TaskClass
from tests.integration.conftest import World

RESOURCES = {
    "users": USERS,
    "queues": QUEUES,
    "whitelists": WHITELISTS,
    **{f"{task_class} types": TYPES[task_class] for task_class in TaskClass},
    **{f"{task_class} instances": INSTANCES[task_class] for task_class in TaskClass},
}


@pytest.mark.parametrize("name", RESOURCES)
def test_version_1_says_what_its_serializer_says(world: World, name: str) -> None:
    resource: Resource = RESOURCES[name]
    awkward = '"\\ \n\t\x1f\x7f é \u2028 😀 </script>%s %'
    for thing in resource.all():
        if name.endswith("instances"):
            thing.name, thing.arguments = awkward, {awkward: [1.5, True, None, 10**40, {"": []}]}
        elif name != "users":
            thing.description = awkward
        thing.save()
    representation = resource.representation("1")
    rows = resource.all().order_by(resource.order)
    written = [json.loads(body) for body in representation.encode(representation.rows(resource.all()))]
    assert written
    for body, thing in zip(written, rows, strict=True):
        said: dict[str, Any] = json.loads(json.dumps(dict(resource.serializer("1")(thing).data), default=str))
        assert list(body) == list(resource.serializer("1")().fields)
        # Two fields share the relation of whitelists and types, which serializers cannot write.
        body = {key: value for key, value in body.items() if not key.startswith("whitelist")}
        said.pop("whitelists", None)
        for moment in [each for each in said if each.startswith("datetime") and said[each]]:
            assert body.pop(moment).rstrip("Z0.") == said.pop(moment).rstrip("Z0.")
        assert body == said
        assert representation.encode([representation.row_of(thing)]) == representation.encode(
            representation.rows(resource.all().filter(pk=thing.pk))
        )


@pytest.mark.parametrize("name", [name for name in RESOURCES if "2" in RESOURCES[name].serializers])
def test_version_2_begins_with_version_1(name: str) -> None:
    one, two = (list(RESOURCES[name].serializers[version]().fields) for version in "12")
    assert two[: len(one)] == one
