"""schema/: the OpenAPI document of either version."""

import json
import subprocess
import sys
from typing import Any

import pytest
from drf_spectacular.validation import validate_schema

from saltant.server.api.openapi.document import document
from tests.integration.conftest import V2, Client

PATH = "/api/schema/"


@pytest.mark.parametrize(
    ("query", "accept", "version"),
    [("", "", "1"), ("", V2, "2"), ("?version=2", "", "2"), ("?version=1", V2, "1"), ("", "text/html, */*;q=0.8", "1")],
)
def test_which_version(query: str, accept: str, version: str, django_assert_num_queries: Any, db: None) -> None:
    with django_assert_num_queries(0):
        answer = Client().get(f"{PATH}{query}", HTTP_ACCEPT=accept)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"
    assert answer.json()["info"]["version"] == version
    assert answer.json() == document(version)


@pytest.mark.parametrize("version", ["3", "", "1.0"])
def test_a_version_that_is_none(version: str) -> None:
    answer = Client().get(PATH, {"version": version})
    assert answer.status_code == 400
    assert answer.json() == {"version": ["There is no such version: take 1 or 2."]}


def test_it_is_open_even_to_a_key_that_opens_nothing() -> None:
    assert Client("nonsense").get(PATH).status_code == 200


@pytest.mark.parametrize("version", ["1", "2"])
def test_it_is_right_and_whole(version: str) -> None:
    made = document(version)
    validate_schema(made)
    for path, operations in made["paths"].items():
        for operation in operations.values():
            assert operation["summary"]
            assert "{" not in operation["summary"]
            assert [each["name"] in path for each in operation["parameters"] if each["in"] == "path"] == [
                True
            ] * path.count("{")
            assert all(each["description"] for each in operation["responses"].values())
    assert json.loads(json.dumps(made)) == made


def test_a_server_starts_without_what_makes_the_document() -> None:
    program = (
        "import django, sys; django.setup(); import saltant.server.urls; sys.exit('drf_spectacular' in sys.modules)"
    )
    environ = {"DJANGO_SETTINGS_MODULE": "saltant.server.settings"}
    subprocess.run([sys.executable, "-c", program], env=environ, check=True, timeout=60)
