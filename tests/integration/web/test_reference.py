"""The API's reference as a page."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client

from saltant.server.api.openapi.document import document
from saltant.server.web.reference import kind_of, marked


class Page(HTMLParser):
    """What a page refers to, and what it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        assert not {"style", "onclick"}.intersection(given)
        assert given.get("src", "/static/").startswith("/static/")
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if "href" in given else []


@pytest.mark.parametrize("version", ["1", "2"])
def test_every_operation_is_there_for_everybody(version: str, django_assert_num_queries: Any, db: None) -> None:
    with django_assert_num_queries(0):
        answer = Client().get("/api/docs/", {"version": version})
    assert answer.status_code == 200
    text = answer.content.decode()
    page = Page(text)
    operations = [each for path in document(version)["paths"].values() for each in path.values()]
    assert {each["operationId"] for each in operations} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert not {"style", "img", "iframe"} & page.tags
    assert not [link for link in page.links if link.startswith(("http", "//"))]
    assert ("removed_from_whitelists" in text) == (version == "2")
    assert not re.search(r"\{[%{]", text)


def test_the_newest_version_unless_told_otherwise(db: None) -> None:
    for path in ("/api/docs", "/api/docs/", "/api/docs/?version=9"):
        assert "The API, version 2" in Client().get(path).content.decode()


def test_what_a_value_may_be() -> None:
    assert kind_of({"type": ["number", "null"], "exclusiveMinimum": 0, "maximum": 3600.0}) == (
        "number or null (more than 0, 3600 at most)"
    )
    assert kind_of({"type": "array", "items": {"$ref": "#/components/schemas/Queue"}}) == (
        'list of: <a href="#Queue">Queue</a>'
    )
    assert kind_of({"enum": ["<b>", None]}) == "&quot;&lt;b&gt;&quot; or null"
    assert marked("`<b>` is **<i>**") == "<code>&lt;b&gt;</code> is <strong>&lt;i&gt;</strong>"
