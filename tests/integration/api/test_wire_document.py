"""`docs/wire-v2.md` says what the server does, and what its OpenAPI document says."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from saltant.reasons import Reason
from saltant.server.api.container_fields import CONTAINER, ContainerFields
from saltant.server.api.limits import LimitFields
from saltant.server.api.openapi.document import document
from saltant.server.tasks.models import LIMITS, TaskType
from saltant.server.tasks.worker_state import WorkerState

TEXT = (Path(__file__).parents[3] / "docs/wire-v2.md").read_text()
SAME = {name: name for name in ("string", "integer", "number", "object")}
TYPES = SAME | {"boolean": "Boolean", "array": "list"}


DESCRIBED = frozenset(
    (
        *("attempts", "after", "dependents", "add", "remove", "archive", "unarchive", "drain"),
        *("workers", "schedules", "run", "times", "schema", "wait", "events", "many"),
    )
)
"""The last parts of the paths that version 2 adds."""


def section(title: str) -> list[list[str]]:
    """The cells of the rows below a title."""
    part = re.split(rf"^##+ {title}$", TEXT, flags=re.MULTILINE)[1]
    part = re.split(r"^##", part, flags=re.MULTILINE)[0]
    return [
        [cell.strip() for cell in row.strip("|").split("|")] for row in re.findall(r"^\|.*\|$", part, re.MULTILINE)[2:]
    ]


def properties(version: str, name: str) -> dict[str, Any]:
    """The keys of an answer, in their order, by the OpenAPI document."""
    found: dict[str, Any] = document(version)["components"]["schemas"][name]["properties"]
    return found


def kind(schema: dict[str, Any]) -> str:
    """A schema's type, as the document for people says it."""
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    words = ["datetime" if schema.get("format") == "date-time" else TYPES[each] for each in types if each != "null"]
    return " or ".join([*words, *(["null"] if "null" in types else [])])


@pytest.mark.parametrize(
    ("title", "name"), [("Task instances", "Instance"), ("Task queues", "Queue"), ("Users", "User")]
)
def test_every_added_key_is_described_in_order(title: str, name: str) -> None:
    one, two = properties("1", name), properties("2", name)
    added = list(two)[len(one) :]
    assert list(two) == [*one, *added]
    assert [row[:2] for row in section(title)] == [[f"`{key}`", kind(two[key])] for key in added]


@pytest.mark.parametrize("name", ["ExecutableType", "ContainerType"])
def test_keys_of_types(name: str) -> None:
    one, two = properties("1", name), properties("2", name)
    kinds = CONTAINER if name == "ContainerType" else ()
    assert list(two) == [*one, *kinds, *LIMITS, "datetime_archived", "revision"]


@pytest.mark.parametrize(
    ("title", "keys", "serializer"),
    [("Limits", LIMITS, LimitFields), ("Container task types", CONTAINER, ContainerFields)],
)
def test_what_types_take(title: str, keys: Sequence[str], serializer: type[Any]) -> None:
    rows = section(title)
    assert [row[0] for row in rows] == [f"`{key}`" for key in keys]
    fields = serializer().fields
    for key, may_be, _ in rows:
        field = fields[key.strip("`")]
        assert may_be.startswith("null, or ") == field.allow_null
        default = TaskType._meta.get_field(key.strip("`")).default
        said = f"{default:g}" if isinstance(default, float) else str(default).lower() or "empty"
        assert field.allow_null or re.search(rf"\b{said}`? by default$", may_be)


def test_attempts() -> None:
    rows = section("Attempts")
    assert [row[:2] for row in rows] == [[f"`{key}`", kind(each)] for key, each in properties("2", "Attempt").items()]


@pytest.mark.parametrize("name", ["After", "Dependent"])
def test_after(name: str) -> None:
    rows = section("Starting after others")
    assert [row[:2] for row in rows] == [[f"`{key}`", kind(each)] for key, each in properties("2", name).items()]


def test_revisions() -> None:
    described = properties("2", "Revision")
    of_types, _, *rows = section("Revisions")
    assert of_types[:2] == ["`revision`", kind(properties("2", "ExecutableType")["revision"])]
    assert [row[:2] for row in rows[-len(described) :]] == [[f"`{key}`", kind(each)] for key, each in described.items()]


def test_schedules() -> None:
    rows = section("Schedules")
    assert [row[:2] for row in rows] == [[f"`{key}`", kind(each)] for key, each in properties("2", "Schedule").items()]


def test_workers() -> None:
    described = properties("2", "Worker")
    rows, states = section("Workers")[: len(described)], section("Workers")[len(described) :]
    assert [row[:2] for row in rows] == [[f"`{key}`", kind(each)] for key, each in described.items()]
    # The header of the second table is among the rows.
    assert [row[0] for row in states if row[0].startswith("`")] == [f"`{state}`" for state in WorkerState]
    said = re.search(r"`(\{.*?\})`", rows[list(described).index("running")][2])
    assert said is not None
    assert re.findall(r"\w+", said[1]) == list(described["running"]["items"]["properties"])


def test_what_can_be_archived() -> None:
    [row] = section("Archiving, renaming, deleting")
    for name in ("ExecutableType", "ContainerType", "Queue", "Whitelist"):
        described = properties("2", name)["datetime_archived"]
        assert row[:2] == ["`datetime_archived`", kind(described)]
    one, two = properties("1", "Whitelist"), properties("2", "Whitelist")
    assert list(two) == [*one, "datetime_archived", "pinned_revisions"]


@pytest.mark.parametrize("name", ["Worker", "Schedule"])
def test_other_bodies_are_as_in_version_1(name: str) -> None:
    assert list(properties("1", name)) == list(properties("2", name))


def test_every_reason_is_described() -> None:
    assert section("Reasons") == [[f"`{reason}`", reason.sentence] for reason in Reason]


def test_every_path_of_version_2_is_described() -> None:
    for path in document("2")["paths"]:
        last = path.rstrip("/").split("/")[-1]
        if last in DESCRIBED:
            assert re.search(rf"[/ ]{last}/", TEXT)
