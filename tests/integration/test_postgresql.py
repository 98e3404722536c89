"""What only PostgreSQL has: other connections that do something at the same moment, and a server that goes away."""

import dataclasses
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import regex
from django.conf import settings as django_settings
from django.db import close_old_connections, connection

from saltant.jobs import Attempt, Kind, Ticket
from saltant.server.accounts import people
from saltant.server.accounts.models import User
from saltant.server.accounts.tokens import create_token
from saltant.server.api import dialect
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskAttempt, TaskInstance, TaskType
from tests.integration.conftest import Client, World

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL alone does this")
TYPES = "/api/executabletasktypes/"
BOUND = 30.0


def at_once(*actions: Callable[[], object]) -> list[Any]:
    """Do all of them at the same moment, each on a connection of its own; returns what each returned or raised."""
    together = threading.Barrier(len(actions))
    said: list[Any] = [None] * len(actions)

    def run(position: int) -> None:
        try:
            connection.ensure_connection()
            together.wait(BOUND)
            said[position] = actions[position]()
        except Exception as error:
            said[position] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[position]) for position in range(len(actions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(BOUND)
    return said


PATTERNS = [
    *(r"\bab\b", r"\Bb", "b$", r"b\Z", "^a", r"(?m)^b$", "a.b", "(?s)a.b", r"a\sb", r"[^\W\d]", r"[\W_]", r"\S\s\S"),
    *("(?i)AB", "(?x) a  b", r"(a)\1", r"(.)(.)\2\1", "(?P<n>a)(?P=n)", "a(?=b)", "a(?!b)", "(?<=a)b", "(?<!a)b"),
    *(
        "a{2,3}b",
        "a{300}",
        "a{2,300}b",
        "a{256,}",
        "a??b",
        "(?:a|)b",
        "[]a]",
        r"[\]\-^]",
        r"[a\\]",
        "[[:a]",
        r"\.",
        "a|",
    ),
    *("é", r"\w+é", r"[à-ü]", r"\d", r"\D", "[^a]", "(?a:\\w)é", r"\x41", "()", "(?:ab){2}", r"\*{3}", "^$"),
]
TEXTS = [
    *(
        "",
        "a",
        "b",
        "ab",
        "AB",
        "aab",
        "abab",
        "abba",
        "a b",
        "a\nb",
        "ab\n",
        "b\n",
        "x\nb\ny",
        "aé",
        "é",
        "ü",
        "_",
        "7",
    ),
    *("-", "]", "^", "\\", ".", "a.b", "a\tb", "A", "[", ":", "*", "***", "a" * 299, "a" * 300 + "b"),
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_find_the_same_as_on_sqlite(db: None, pattern: str) -> None:
    here = dialect.postgresql(pattern)
    with connection.cursor() as cursor:
        cursor.execute("SELECT given FROM unnest(%s::text[]) AS given WHERE given ~ %s", [TEXTS, here])
        found = [row[0] for row in cursor.fetchall()]
    assert found == [text for text in TEXTS if regex.search(pattern, text)], here


@pytest.mark.parametrize("pattern", ["(?>a)", "a*+", "(a)?(?(1)b|c)", "(?i:a)b", r"(a)(?=\1)"])
def test_patterns_that_postgresql_has_nothing_for(owner: Client, pattern: str) -> None:
    answer = owner.get(TYPES, {"name__regex": pattern})
    assert answer.status_code == 400
    assert "PostgreSQL" in answer.json()["name__regex"][0]


@pytest.mark.parametrize("page_size", ["10", "9223372036854775807"])
def test_a_search_has_a_time_limit(
    owner: Client, world: World, page_size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(django_settings, "SALTANT", dataclasses.replace(django_settings.SALTANT, filter_time=0.2))
    TaskType.objects.create(task_class="executable", name="1", description="a" * 5000, command_to_run="x")
    answer = owner.get(TYPES, {"description__regex": r"^(.+)(.+)(.+)\3\2\1$", "page_size": page_size})
    message = "This regular expression takes more than 0.2 seconds, or too much memory."
    assert (answer.status_code, answer.json()) == (400, {"description__regex": [message]})
    assert owner.get(TYPES, {"name__regex": "^1$"}).json()["count"] == 1, "the connection works on"


@pytest.mark.django_db(transaction=True)
def test_one_of_many_claims_an_attempt(world: World) -> None:
    TaskInstance.objects.filter(pk=world.instance.pk).update(state="published", snapshot={"command_to_run": "true"})
    ticket = Ticket(Attempt(world.instance.uuid, 1), world.queue.name, Kind(world.instance.kind))

    def claim(worker: str) -> object:
        return services.claim(ticket, worker)

    said = at_once(*(lambda name=f"w{number}": claim(name) for number in range(8)))
    assert [each for each in said if isinstance(each, Exception)] == []
    assert len([each for each in said if each is not None]) == 1
    assert TaskAttempt.objects.filter(instance=world.instance).count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_admins_do_not_let_go_of_each_other(world: World) -> None:
    first = world.users["admin"]
    for turn in range(5):
        second = User.objects.create_superuser(f"second-{turn}")
        said = at_once(lambda second=second: people.deactivate(second), lambda first=first: people.deactivate(first))
        assert sorted(type(each).__name__ for each in said) == ["NoneType", "Unfit"]
        [first] = User.objects.filter(is_superuser=True, is_active=True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", [TYPES, "/admin/"])
def test_a_lost_connection_costs_one_request(world: World, path: str) -> None:
    client = Client(create_token(world.users["admin"])[1])
    client.force_login(world.users["admin"])
    assert client.get(path).status_code == 200
    mine = connection.connection.info.backend_pid
    [ended] = at_once(lambda: query("SELECT pg_terminate_backend(%s)", mine))
    assert ended
    answer = client.get(path)
    assert answer.status_code == 503
    if path == TYPES:
        assert answer.json() == {"detail": "The database cannot be used now: it may be away or full. Try again later."}
    else:
        assert "<h1>The database cannot be used now</h1>" in answer.content.decode()
    assert answer["Retry-After"] == "5"
    # A server does this between requests; Django's test client keeps it from happening.
    close_old_connections()
    assert client.get(path).status_code == 200
    assert connection.connection.info.backend_pid != mine


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_was_lost_between_requests_costs_none(world: World) -> None:
    client = Client(create_token(world.users["admin"])[1])
    assert client.get(TYPES).status_code == 200
    close_old_connections()
    mine = connection.connection.info.backend_pid
    [ended] = at_once(lambda: query("SELECT pg_terminate_backend(%s)", mine))
    assert ended
    [gone] = at_once(lambda: wait_for_the_end_of(mine))
    assert gone
    close_old_connections()
    assert client.get(TYPES).status_code == 200


def wait_for_the_end_of(backend: int) -> bool:
    """Wait until a connection's process is gone."""
    end = time.monotonic() + BOUND
    while query("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", backend):
        assert time.monotonic() < end
        time.sleep(0.01)
    return True


def query(statement: str, *parameters: object) -> Any:
    """The one value that a statement gives."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchone()[0]
