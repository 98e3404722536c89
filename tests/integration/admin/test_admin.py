"""Django's admin: who gets in, what it shows, and that its changes keep the rules."""

import json
import re
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from saltant.server.accounts.models import Token, User
from saltant.server.accounts.tokens import create_token, digest_of
from saltant.server.admin import find_pages
from saltant.server.audit.log import record
from saltant.server.audit.models import Action, AuditEntry
from saltant.server.tasks.models import TaskInstance, TaskQueue, TaskType, TaskWhitelist
from tests.integration.conftest import World

PASSWORD = "correct horse battery staple"
find_pages()
MODELS = sorted(model._meta.label_lower.replace(".", "_") for model in admin.site._registry)


def fields(page: Any) -> dict[str, Any]:
    """What the form of a page would send if nobody touched it."""
    form = page.context["adminform"].form
    values: dict[str, Any] = {}
    for bound in form:
        value = bound.value()
        if value is None or value is False:
            continue
        if isinstance(value, list):
            value = [getattr(each, "pk", each) for each in value]
        values[bound.html_name] = value
    return values


def change(browser: Client, thing: Any, **values: Any) -> Any:
    path = reverse(f"admin:{thing._meta.app_label}_{thing._meta.model_name}_change", args=[thing.pk])
    return browser.post(path, fields(browser.get(path)) | values)


def errors(page: Any) -> dict[str, Any]:
    found: dict[str, Any] = page.context["adminform"].form.errors
    return found


def audited() -> list[tuple[str, str, str]]:
    return list(AuditEntry.objects.order_by("id").values_list("actor", "action", "object_kind"))


def test_what_is_there() -> None:
    assert MODELS == [
        "accounts_token",
        "accounts_user",
        "audit_auditentry",
        "tasks_taskattempt",
        "tasks_taskinstance",
        "tasks_taskqueue",
        "tasks_tasktype",
        "tasks_taskwhitelist",
    ]


@pytest.mark.parametrize("model", MODELS)
def test_every_list_and_thing_can_be_looked_at(world: World, browser: Client, model: str) -> None:
    create_token(world.users["owner"])
    record("somebody", Action.UPDATE, world.queue)
    world.instance.attempts.create(number=1, worker="w", datetime_claimed=world.instance.datetime_created)
    page = browser.get(reverse(f"admin:{model}_changelist"), {"q": "x"})
    assert page.status_code == 200
    assert browser.get(reverse(f"admin:{model}_changelist")).context["cl"].result_count
    [model_class] = [each for each in admin.site._registry if each._meta.label_lower.replace(".", "_") == model]
    page = browser.get(reverse(f"admin:{model}_change", args=[model_class._default_manager.all()[0].pk]))
    assert page.status_code == 200
    assert not re.search(rb"(?<!image)[ _]digest|digest_", page.content.lower())


def test_admins_alone_get_in(world: World) -> None:
    client = Client()
    answer = client.get("/admin/")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/login/?next=/admin/")
    answer = client.get(answer["Location"])
    assert (answer.status_code, answer["Location"]) == (302, "/login?next=/admin/")
    client.force_login(world.users["owner"])
    assert client.get("/admin/", follow=True).status_code == 403
    User.objects.filter(username="owner").update(is_staff=True)
    assert client.get("/admin/", follow=True).status_code == 403


def test_the_style_sheets_come_from_here(world: World, browser: Client) -> None:
    page = browser.get("/admin/").content.decode()
    sheets = re.findall(r'<(?:link|script)[^>]+(?:href|src)="([^"]+)"', page)
    assert sheets
    for sheet in sheets:
        assert sheet.startswith("/static/")
        assert Client().get(sheet).status_code == 200


# Users


def test_a_user_is_made_and_becomes_an_admin(browser: Client) -> None:
    said = {"username": "ada", "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    assert browser.post(reverse("admin:accounts_user_add"), said).status_code == 302
    ada = User.objects.get(username="ada")
    assert ada.check_password(PASSWORD)
    assert not ada.is_staff
    assert change(browser, ada, is_superuser="on").status_code == 302
    ada.refresh_from_db()
    assert (ada.is_superuser, ada.is_staff) == (True, True)
    assert change(browser, ada).status_code == 302
    assert audited() == [("admin", "create", "user"), ("admin", "update", "user")]
    assert AuditEntry.objects.all()[0].details == {"is_superuser": [False, True]}
    assert not LogEntry.objects.exists()


def test_a_password_is_set(world: World, browser: Client) -> None:
    path = reverse("admin:auth_user_password_change", args=[world.users["owner"].pk])
    said = {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
    assert browser.post(path, said).status_code == 302
    assert User.objects.get(username="owner").check_password(PASSWORD)
    assert audited() == [("admin", "set_password", "user")]
    assert PASSWORD not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize("by_list", [True, False])
def test_a_deleted_user_takes_nothing_along_but_tokens(world: World, browser: Client, by_list: bool) -> None:
    owner = world.users["owner"]
    token, _ = create_token(owner)
    if by_list:
        said = {"action": "delete_selected", "_selected_action": [owner.pk], "post": "yes"}
        answer = browser.post(reverse("admin:accounts_user_changelist"), said)
    else:
        answer = browser.post(reverse("admin:accounts_user_delete", args=[owner.pk]), {"post": "yes"})
    assert answer.status_code == 302
    assert not User.objects.filter(pk=owner.pk).exists()
    assert not Token.objects.filter(pk=token.pk).exists()
    for thing in (world.executable, world.whitelist, world.instance):
        thing.refresh_from_db()
        assert thing.user is None
    assert ("admin", "delete", "user") in audited()


# Tokens


def test_a_tokens_key_is_shown_once(world: World, browser: Client) -> None:
    said = {"user": world.users["owner"].pk, "role": "worker", "queues": [world.queue.pk], "name": "rack 1"}
    page = browser.post(reverse("admin:accounts_token_add"), said)
    [key] = re.findall(r'<pre id="key">(\S+)</pre>', page.content.decode())
    assert "no-store" in page["Cache-Control"]
    token = Token.objects.get(digest=digest_of(key))
    assert (token.name, token.role, list(token.queues.all())) == ("rack 1", "worker", [world.queue])
    for path in (reverse("admin:accounts_token_changelist"), reverse("admin:accounts_token_change", args=[token.pk])):
        text = browser.get(path).content.decode()
        assert key not in text
        assert token.digest not in text
    assert key not in str(browser.cookies)
    assert ("admin", "create", "token") in audited()


@pytest.mark.parametrize("said", [{"role": "worker"}, {"role": "user", "queues": True}])
def test_workers_tokens_alone_are_bound(world: World, browser: Client, said: dict[str, Any]) -> None:
    queues = {"queues": [world.queue.pk]} if said.pop("queues", None) else {}
    page = browser.post(reverse("admin:accounts_token_add"), {"user": world.users["owner"].pk, **said, **queues})
    assert page.status_code == 200
    assert "queues" in errors(page)


def test_a_token_is_revoked_and_stays(world: World, browser: Client) -> None:
    token, _ = create_token(world.users["owner"])
    said = {"action": "revoke", "_selected_action": [token.pk]}
    assert browser.post(reverse("admin:accounts_token_changelist"), said).status_code == 302
    token.refresh_from_db()
    assert token.datetime_revoked is not None
    assert ("admin", "revoke", "token") in audited()
    assert browser.post(reverse("admin:accounts_token_delete", args=[token.pk]), {"post": "yes"}).status_code == 403
    path = reverse("admin:accounts_token_change", args=[token.pk])
    assert browser.post(path, {"name": "x"}).status_code == 403


# Types, queues, whitelists


def test_a_type_is_changed_by_the_services(world: World, browser: Client) -> None:
    assert change(browser, world.executable, command_to_run="count --lines", timeout="60").status_code == 302
    world.executable.refresh_from_db()
    assert (world.executable.command_to_run, world.executable.timeout) == ("count --lines", 60)
    assert world.executable.required_arguments == ["text", "language"]
    assert world.executable.json_file_option is None
    # An admin's change breaks no promise.
    assert list(world.whitelist.task_types.all()) == [world.executable, world.container]
    entry = AuditEntry.objects.get()
    assert entry.details == {"command_to_run": ["count --words", "count --lines"], "timeout": [None, 60.0]}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("command_to_run", "count 'words"),
        ("environment_variables", "{}"),
        ("environment_variables", '["A=B"]'),
        ("required_arguments", '["text", 1]'),
        ("required_arguments", "[]"),
        ("required_arguments_default_values", "[1]"),
        ("required_arguments_default_values", "{"),
        ("timeout", "0"),
        ("timeout", "nan"),
        ("retry_delay", "-1"),
        ("max_attempts", "0"),
        ("container_image", "busybox"),
    ],
)
def test_a_type_is_checked_as_by_the_api(world: World, browser: Client, field: str, value: str) -> None:
    page = change(browser, world.executable, **{field: value})
    assert page.status_code == 200
    assert errors(page)
    assert audited() == []


def test_a_type_is_made(browser: Client) -> None:
    path = reverse("admin:tasks_tasktype_add")
    said = fields(browser.get(path)) | {"task_class": "container", "name": "box", "command_to_run": "run"}
    assert "container_image" in errors(browser.post(path, said))
    said |= {"container_type": "docker", "container_image": "box:1", "environment_variables": ""}
    assert browser.post(path, said).status_code == 302
    made = TaskType.objects.get(name="box")
    assert (made.environment_variables, made.required_arguments_default_values) == ([], {})
    assert "name" in errors(browser.post(path, said)) or "__all__" in errors(browser.post(path, said))
    assert audited() == [("admin", "create", "task type")]
    assert change(browser, made, description="new").status_code == 302
    assert change(browser, made, user="").status_code == 302  # what it is has not changed
    history = list(made.revisions.order_by("number").values_list("number", "changed_by", "changes"))
    assert history == [(1, "admin", {}), (2, "admin", {"description": ["", "new"]})]


def test_a_queue_is_paused_and_let_on(world: World, browser: Client) -> None:
    assert change(browser, world.queue, paused="on", description="slow").status_code == 302
    assert TaskQueue.objects.get(pk=world.queue.pk).paused
    said = fields(browser.get(reverse("admin:tasks_taskqueue_change", args=[world.queue.pk])))
    del said["paused"]
    assert browser.post(reverse("admin:tasks_taskqueue_change", args=[world.queue.pk]), said).status_code == 302
    assert not TaskQueue.objects.get(pk=world.queue.pk).paused
    actions = [action for _, action, _ in audited()]
    assert actions == ["pause", "update", "resume"]
    assert json.dumps(AuditEntry.objects.get(action="update").details) == '{"description": ["", "slow"]}'


def test_a_queue_that_is_renamed_keeps_its_lane(world: World, browser: Client) -> None:
    assert change(browser, world.queue, name="renamed", description="x").status_code == 302
    queue = TaskQueue.objects.get(pk=world.queue.pk)
    assert (queue.name, queue.description, queue.lane) == ("renamed", "x", "queue")
    assert [each.name for each in queue.former_names.all()] == ["queue"]
    assert AuditEntry.objects.get().details == {"name": ["queue", "renamed"], "description": ["", "x"]}


def test_a_whitelists_types_are_written_down_by_name(world: World, browser: Client) -> None:
    assert change(browser, world.whitelist, task_types=[world.container.pk]).status_code == 302
    assert AuditEntry.objects.get().details == {"task_types": [["count", "count"], ["count"]]}
    path = reverse("admin:tasks_taskwhitelist_delete", args=[world.whitelist.pk])
    assert browser.post(path, {"post": "yes"}).status_code == 302
    assert not TaskWhitelist.objects.filter(pk=world.whitelist.pk).exists()


def test_what_was_used_cannot_be_deleted(world: World, browser: Client) -> None:
    for thing in (world.queue, world.executable):
        name = thing._meta.model_name
        answer = browser.post(reverse(f"admin:tasks_{name}_delete", args=[thing.pk]), {"post": "yes"})
        assert answer.status_code in (200, 403)
        assert type(thing)._default_manager.filter(pk=thing.pk).exists()
        answer = browser.post(
            reverse(f"admin:tasks_{name}_changelist"),
            {"action": "delete_selected", "_selected_action": [thing.pk], "post": "yes"},
        )
        assert type(thing)._default_manager.filter(pk=thing.pk).exists()


# Instances


def test_an_instance_is_ended_by_the_services_and_changed_by_nobody(world: World, browser: Client) -> None:
    said = {"action": "terminate", "_selected_action": [world.instance.pk]}
    assert browser.post(reverse("admin:tasks_taskinstance_changelist"), said).status_code == 302
    instance = TaskInstance.objects.get(pk=world.instance.pk)
    assert (instance.state, instance.message) == ("terminated", "Terminated by admin.")
    assert audited() == [("admin", "terminate", "task instance")]
    path = reverse("admin:tasks_taskinstance_change", args=[instance.pk])
    assert browser.post(path, {"state": "successful"}).status_code == 403
    delete = reverse("admin:tasks_taskinstance_delete", args=[instance.pk])
    assert browser.post(delete, {"post": "yes"}).status_code == 403
    assert browser.get(reverse("admin:tasks_taskinstance_add")).status_code == 403
