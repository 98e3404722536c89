"""What the audit log holds, and what it costs nothing for."""

from typing import Any

import pytest

from saltant.jobs import End
from saltant.reasons import Reason
from saltant.server.accounts import people, tokens
from saltant.server.accounts.models import User
from saltant.server.audit.log import LONGEST, difference, record
from saltant.server.audit.models import Action, AuditEntry
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskWhitelist
from saltant.states import State
from tests.integration.tasks.conftest import Lab, lab  # noqa: F401 - a fixture

PASSWORD = "correct horse battery staple"


def entries(**filters: Any) -> list[tuple[str, str, str]]:
    """Actor, action and the name of the object, in their order."""
    found = AuditEntry.objects.filter(**filters).order_by("id")
    return list(found.values_list("actor", "action", "object_name"))


def test_an_ordinary_run_writes_nothing(lab: Lab) -> None:  # noqa: F811
    lab.submit()
    ticket = lab.ticket()
    assert ticket is not None
    assert services.claim(ticket, "w1") is not None
    services.heartbeat("w1", {ticket.attempt: None})
    assert services.finish(ticket.attempt, "w1", End(Reason.EXITED, exit_code=0))
    assert entries() == []


def test_ends_asked_for_are_written_once(lab: Lab) -> None:  # noqa: F811
    waits, runs = lab.submit(), lab.claim()
    lab.queue.refresh_from_db()
    for _ in range(2):
        services.terminate(instance=waits, user=lab.user)
        services.terminate(instance=runs, user=lab.user)
    found = AuditEntry.objects.order_by("id")
    assert {(entry.action, entry.actor, entry.object_kind) for entry in found} == {
        ("terminate", "owner", "task instance")
    }
    assert sorted(entry.object_id for entry in found) == sorted([str(waits.uuid), str(runs.uuid)])


def test_a_report_by_hand_is_written(lab: Lab) -> None:  # noqa: F811
    instance = lab.submit()
    services.report(instance=instance, state=State.RUNNING, user=lab.user)
    services.report(instance=instance, state=State.RUNNING, user=lab.user)
    services.report(instance=instance, state=State.SUCCESSFUL, user=lab.user)
    with pytest.raises(services.Conflict):
        services.report(instance=instance, state=State.FAILED, user=lab.user)
    details = AuditEntry.objects.order_by("id").values_list("details", flat=True)
    assert list(details) == [{"state": "running"}, {"state": "successful"}]


def test_a_changed_type_names_what_was_and_what_it_lost(lab: Lab) -> None:  # noqa: F811
    theirs = TaskWhitelist.objects.create(name="theirs", user=User.objects.create_user("other"))
    theirs.task_types.add(lab.task_type)
    services.update_type(lab.task_type, {"command_to_run": "/bin/true"}, lab.user)
    assert entries() == []
    services.update_type(lab.task_type, {"command_to_run": "/bin/sh", "description": ""}, lab.user)
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.object_name) == ("owner", "update", "type")
    assert entry.details == {"command_to_run": ["/bin/true", "/bin/sh"], "taken_off": ["theirs"]}


def test_pausing_is_written(lab: Lab) -> None:  # noqa: F811
    for paused in (True, True, False):
        services.set_paused(lab.queue, paused, lab.user)
    assert entries() == [("owner", "pause", "queue"), ("owner", "resume", "queue")]


def test_people_and_tokens(db: None) -> None:
    by = "root (command line)"
    ada = people.create_user("ada", password=PASSWORD, by=by)
    people.set_password(ada, PASSWORD + "!", by=by)
    token, key = tokens.create_token(ada, name="laptop", by=ada)
    for _ in range(2):
        tokens.revoke(token, by=by)
        people.deactivate(ada, by=by)
    assert entries() == [
        (by, "create", "ada"),
        (by, "set_password", "ada"),
        ("ada", "create", str(token)),
        (by, "revoke", str(token)),
        (by, "deactivate", "ada"),
    ]
    written = str(list(AuditEntry.objects.values()))
    assert key not in written
    assert token.digest not in written
    assert PASSWORD not in written
    with pytest.raises(people.Unfit):
        people.create_user("ada", password=None, by=by)
    assert len(entries()) == 5


def test_the_last_admin_is_not_let_go(db: None) -> None:
    first = people.create_user("first", admin=True)
    second = people.create_user("second", admin=True)
    people.deactivate(first)
    with pytest.raises(people.Unfit, match="Without second no active admin would be left"):
        people.deactivate(second)
    people.deactivate(first)
    people.activate(first)
    people.deactivate(second)
    assert entries(object_kind="user", action="deactivate") == [
        ("saltant", "deactivate", n) for n in ("first", "second")
    ]
    assert entries(action="activate") == [("saltant", "activate", "first")]


def test_it_outlives_whoever_did_it_and_what_was_done(lab: Lab) -> None:  # noqa: F811
    other = User.objects.create_user("other")
    whitelist = TaskWhitelist.objects.create(name="theirs", user=other)
    record(other, Action.DELETE, whitelist)
    whitelist.delete()
    other.delete()
    assert entries() == [("other", "delete", "theirs")]


def test_differences_name_things_and_nothing_that_stays(lab: Lab) -> None:  # noqa: F811
    more = TaskWhitelist.objects.create(name="more", user=lab.user)
    changes = {"name": "queue", "private": True, "whitelists": [more, lab.whitelist]}
    assert difference(lab.queue, changes) == {"private": [False, True], "whitelists": [["list"], ["list", "more"]]}
    assert difference(lab.queue, {"whitelists": []}) == {"whitelists": [["list"], []]}
    assert difference(lab.queue, {"whitelists": [lab.whitelist]}) == {}


def test_a_huge_or_odd_value_is_kept_short(lab: Lab) -> None:  # noqa: F811
    entry = record(lab.user, Action.UPDATE, lab.queue, {"description": ["", "x" * 10**6], "odd": float("nan")})
    entry.refresh_from_db()
    assert len(entry.details["description"][1]) == LONGEST
    assert entry.details["odd"] == "nan"
