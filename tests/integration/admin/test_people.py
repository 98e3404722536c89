"""The admin's pages about people: own passwords, the last admin, what goes with a user, histories."""

import dataclasses
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from saltant.server.accounts import sign_in_limits
from saltant.server.accounts.models import User
from saltant.server.accounts.tokens import create_token, revoke
from saltant.server.audit.log import record
from saltant.server.audit.models import Action, AuditEntry
from tests.integration.admin.test_admin import audited, change, errors
from tests.integration.conftest import World

OLD, NEW = "correct horse battery staple", "staple battery horse correct"


@pytest.fixture
def signed_in(world: World, browser: Client, settings: Any) -> Client:
    """An admin who has a password, and may get it wrong three times."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.SALTANT = dataclasses.replace(settings.SALTANT, sign_in_tries=3, sign_in_tries_per_address=0)
    world.users["admin"].set_password(OLD)
    world.users["admin"].save()
    browser.force_login(world.users["admin"])
    sign_in_limits.tries.clear()
    return browser


def set_own(browser: Client, old: str, new: str = NEW) -> Any:
    said = {"old_password": old, "new_password1": new, "new_password2": new}
    return browser.post("/admin/password_change/", said)


def test_ones_own_password(signed_in: Client) -> None:
    assert signed_in.get("/admin/password_change/").status_code == 200
    assert set_own(signed_in, OLD).status_code == 302
    assert User.objects.get(username="admin").check_password(NEW)
    assert audited() == [("admin", "set_password", "user")]
    assert signed_in.get("/admin/").status_code == 200, "this session goes on"


def test_wrong_old_passwords_are_counted(signed_in: Client) -> None:
    assert [set_own(signed_in, OLD, "x").status_code for _ in range(5)] == [200] * 5, "these had the right one"
    assert [set_own(signed_in, "x").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = set_own(signed_in, OLD)
    assert refused.status_code == 429
    assert int(refused["Retry-After"]) > 0
    assert "too many failed tries" in refused.content.decode()
    assert User.objects.get(username="admin").check_password(OLD)
    assert audited() == []
    answer = Client().post("/api/token/", {"username": "admin", "password": OLD})
    assert answer.status_code == 429, "it is one count for all doors"
    sign_in_limits.tries.clear()


@pytest.mark.parametrize("field", ["is_active", "is_superuser"])
def test_the_last_admin_stays_one(world: World, browser: Client, field: str) -> None:
    admin, owner = world.users["admin"], world.users["owner"]
    [said] = errors(change(browser, admin, **{field: ""}))[field]
    assert "Without admin no active admin would be left" in said
    admin.refresh_from_db()
    assert getattr(admin, field)
    User.objects.filter(pk=owner.pk).update(is_superuser=True)
    assert change(browser, admin, **{field: ""}).status_code == 302
    admin.refresh_from_db()
    assert not getattr(admin, field)


@pytest.mark.parametrize("by_list", [True, False])
def test_the_last_admin_is_not_deleted(world: World, browser: Client, by_list: bool) -> None:
    admin, owner = world.users["admin"], world.users["owner"]
    User.objects.filter(pk=owner.pk).update(is_superuser=True)

    def delete(*users: User) -> Any:
        if by_list:
            said = {"action": "delete_selected", "_selected_action": [user.pk for user in users], "post": "yes"}
            return browser.post(reverse("admin:accounts_user_changelist"), said)
        return browser.post(reverse("admin:accounts_user_delete", args=[users[0].pk]), {"post": "yes"})

    if by_list:
        assert "Without admin and owner no" in delete(admin, owner, world.users["stranger"]).content.decode()
        assert User.objects.count() == 4
    assert delete(owner).status_code == 302
    page = delete(admin)
    assert page.status_code == 200
    assert "Without admin no active admin would be left" in page.content.decode()
    assert User.objects.filter(pk=admin.pk).exists()


def test_tokens_that_go_with_their_user_are_written_down(world: World, browser: Client) -> None:
    owner = world.users["owner"]
    works, revoked = create_token(owner, name="works")[0], create_token(owner, name="revoked")[0]
    revoke(revoked)
    AuditEntry.objects.all().delete()
    assert browser.post(reverse("admin:accounts_user_delete", args=[owner.pk]), {"post": "yes"}).status_code == 302
    assert audited() == [("admin", "revoke", "token"), ("admin", "delete", "user")]
    assert AuditEntry.objects.get(action="revoke").object_id == str(works.pk)


def test_a_history_is_what_the_audit_log_has(world: World, browser: Client) -> None:
    attempt = world.instance.attempts.create(number=1, worker="w", datetime_claimed=world.instance.datetime_created)
    record("somebody", Action.TERMINATE, world.instance)
    entry = record("somebody", Action.PAUSE, world.queue)
    record("somebody", Action.PAUSE, world.other_queue)
    for thing, found in ((world.queue, entry), (entry, entry), (world.instance, None), (attempt, None)):
        name = f"admin:{thing._meta.app_label}_{thing._meta.model_name}_history"
        page = browser.get(reverse(name, args=[thing.pk]), follow=True)
        assert page.status_code == 200
        [only] = page.context["cl"].result_list
        assert only == found or (found is None and only.action == "terminate")
    assert browser.get(reverse("admin:tasks_taskqueue_history", args=[10**6])).status_code == 404
    outsider = Client()
    outsider.force_login(world.users["owner"])
    assert outsider.get(reverse("admin:tasks_taskqueue_history", args=[1]), follow=True).status_code == 403


def test_the_home_page_shows_admins_the_way(world: World, browser: Client) -> None:
    assert 'href="/admin/"' in browser.get("/").content.decode()
    browser.force_login(world.users["owner"])
    assert "/admin/" not in browser.get("/").content.decode()
