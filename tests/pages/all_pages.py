"""Every page, in one place: accessibility, pictures, policy, rights and life without a script are tested over these."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ALL = {"nobody": 302, "owner": 200, "stranger": 200, "admin": 200}
"""Pages of everybody who is signed in."""
OPEN = ALL | {"nobody": 200}
ADMINS = ALL | {"owner": 403, "stranger": 403}
MINE = ALL | {"stranger": 403}
"""Pages of the owner's things that change them."""
WRONG = ALL | {"owner": 400, "stranger": 400, "admin": 400}
WRONG_OF_ADMINS = ADMINS | {"admin": 400}
ABSENT = ALL | {"owner": 404, "stranger": 404, "admin": 404}


@dataclass(frozen=True)
class Case:
    """A page, as somebody gets it.

    Attributes:
        name: of its screenshots.
        path: with the names of `World.names` in braces.
        status: what each role's GET is answered with.
        data: of a POST, in the place of a GET: with it the page is the answer to a form that changes nothing.
        by: who looks at it for its picture.
        is_empty: whether a site on which nothing was done yet has it, too.
        repeats: CSS selector of what is like the rest of a long page; it is looked at in light alone.
    """

    name: str
    path: str
    status: Mapping[str, int] = field(default_factory=lambda: ALL)
    data: Mapping[str, Any] | None = None
    by: str = "owner"
    is_empty: bool = False
    repeats: str = ""

    def path_in(self, names: Mapping[str, Any]) -> str:
        """Where it is."""
        return self.path.format(**names)

    def data_in(self, names: Mapping[str, Any]) -> dict[str, Any] | None:
        """What is posted."""
        if self.data is None:
            return None
        return {key: str(value).format(**names) for key, value in self.data.items()}


PAGES = (
    Case("sign-in", "/login", {"nobody": 200, "owner": 302, "stranger": 302, "admin": 302}, by="nobody", is_empty=True),
    Case("home", "/", is_empty=True),
    Case("instances", "/instances", is_empty=True),
    Case("instances-filtered", "/instances?state=failed&label=project%3Dx&q=failure"),
    Case("instances-wrong", "/instances?nonsense=1", ALL | {"owner": 400, "stranger": 400, "admin": 400}),
    Case("instance-done", "/instances/{done}"),
    Case("instance-failed", "/instances/{failed}"),
    Case("instance-running", "/instances/{running}"),
    Case("instance-waiting", "/instances/{waiting}"),
    Case("instance-hidden", "/instances/{hidden}"),
    Case("result-table", "/instances/{done}/results/table.csv"),
    Case("result-image", "/instances/{done}/results/plot.png"),
    Case("result-text", "/instances/{done}/results/notes.txt"),
    Case("result-hidden", "/instances/{hidden}/results/notes.txt", ADMINS, by="admin"),
    Case("run", "/instances/run", is_empty=True),
    Case("run-type", "/instances/run?type={type}"),
    Case("run-again", "/instances/run?from={done}"),
    Case(
        "run-wrong",
        "/instances/run",
        ALL | {"owner": 400, "stranger": 400, "admin": 400},
        {"task_type": "{type}", "task_queue": "{queue}", "arguments": "no JSON", "timeout": "-1"},
    ),
    Case("terminate", "/instances/act", ALL | {"stranger": 403}, {"do": "terminate", "uuid": "{running}"}),
    Case("clone", "/instances/act", data={"do": "clone", "uuid": "{done}"}),
    Case("label", "/instances/act", ALL | {"stranger": 403}, {"do": "label", "uuid": "{done}"}),
    Case("types", "/types", is_empty=True),
    Case("types-wrong", "/types?nonsense=1", WRONG),
    Case("type", "/types/{type}"),
    Case("type-changed", "/types/{aligns}"),
    Case("type-of-others", "/types/{type}", by="stranger"),
    Case("type-new", "/types/new", is_empty=True),
    Case("type-new-wrong", "/types/new", WRONG, {"kind": "docker", "name": "", "required_arguments": "["}),
    Case("type-edit", "/types/{aligns}/edit", MINE),
    Case("type-edit-container", "/types/{boxed}/edit", MINE),
    Case("type-delete", "/types/{aligns}/keep", MINE, {"do": "delete"}),
    Case("type-history", "/types/{aligns}/history"),
    Case("type-revision", "/types/{aligns}/history/2"),
    Case("type-restore", "/types/{aligns}/history/1", MINE, {"do": "restore"}),
    Case("whitelists", "/whitelists", is_empty=True),
    Case("whitelist", "/whitelists/{genetics}"),
    Case("whitelist-of-others", "/whitelists/{genetics}", by="stranger"),
    Case("whitelist-new", "/whitelists/new", is_empty=True),
    Case("whitelist-new-wrong", "/whitelists/new", WRONG, {"name": "genetics"}),
    Case("whitelist-edit", "/whitelists/{genetics}/edit", MINE),
    Case("whitelist-delete", "/whitelists/{genetics}/keep", MINE, {"do": "delete"}),
    Case("queues", "/queues", is_empty=True),
    Case("queues-none", "/queues?q=nothing"),
    Case("queues-wrong", "/queues?nonsense=1", WRONG),
    Case("queue", "/queues/{queue}", by="admin"),
    Case("queue-of-mine", "/queues/{gpu}"),
    Case("queue-paused", "/queues/{paused}", by="admin"),
    Case("queue-new", "/queues/new", is_empty=True),
    Case("queue-new-wrong", "/queues/new", WRONG, {"name": "no spaces", "max_running": "0"}),
    Case("queue-edit", "/queues/{gpu}/edit", MINE),
    Case("queue-delete", "/queues/{gpu}/keep", MINE, {"do": "delete"}),
    Case("workers", "/workers", is_empty=True),
    Case("workers-none", "/workers?state=lost"),
    Case("worker", "/workers/{worker}", by="admin"),
    Case("drain-worker", "/workers/{worker}/drain", ADMINS, {}, by="admin"),
    Case("schedules", "/schedules", is_empty=True),
    Case("schedule", "/schedules/{nightly}"),
    Case("schedule-paused", "/schedules/{weekly}"),
    Case("schedule-new", "/schedules/new", is_empty=True),
    Case("schedule-new-wrong", "/schedules/new", WRONG, {"cron": "0 0 30 2 *", "timezone": "Mars", "arguments": "{{"}),
    Case("schedule-edit", "/schedules/{nightly}/edit", MINE),
    Case("schedule-delete", "/schedules/{nightly}", MINE, {"do": "delete"}),
    Case("run-arguments", "/instances/run?type={aligns}"),
    Case("profile", "/profile", is_empty=True),
    Case("profile-wrong", "/profile", WRONG, {"email": "no address", "time_zone": "Mars/Olympus"}),
    Case("password", "/profile/password", is_empty=True),
    Case("password-wrong", "/profile/password", WRONG, {"old": "{password}", "new": "a", "again": "b"}),
    Case("tokens", "/tokens", is_empty=True),
    Case("tokens-none", "/tokens", by="stranger"),
    Case("token-new", "/tokens/new", is_empty=True),
    Case("token-new-worker", "/tokens/new", by="admin"),
    Case("token-new-wrong", "/tokens/new", WRONG, {"name": "x", "ends": "at", "until": "yesterday"}),
    Case("token-revoke", "/tokens/{token}/revoke", ALL | {"stranger": 404}),
    Case("users", "/users", ADMINS, by="admin", is_empty=True),
    Case("users-wrong", "/users?show=nonsense", WRONG_OF_ADMINS, by="admin"),
    Case("user", "/users/{of_owner}", ADMINS, by="admin"),
    Case("user-retired", "/users/{retired}", ADMINS, by="admin"),
    Case("user-new", "/users/new", ADMINS, by="admin", is_empty=True),
    Case("user-new-wrong", "/users/new", WRONG_OF_ADMINS, {"username": "a b", "kind": "none", "email": "x"}, "admin"),
    Case("user-edit", "/users/{of_owner}/edit", ADMINS, by="admin"),
    Case("user-edit-last", "/users/{of_admin}/edit", WRONG_OF_ADMINS, {"role": "", "max_running": ""}, "admin"),
    Case("user-password", "/users/{of_owner}/password", ADMINS, by="admin"),
    Case("user-password-wrong", "/users/{of_owner}/password", WRONG_OF_ADMINS, {"kind": "typed"}, "admin"),
    Case("user-deactivate", "/users/{of_owner}/keep", ADMINS, {"do": "deactivate"}, "admin"),
    Case("audit", "/audit", ADMINS, by="admin", is_empty=True),
    Case("audit-none", "/audit?actor=nobody-is-called-so", ADMINS, by="admin"),
    Case("audit-wrong", "/audit?nonsense=1", WRONG_OF_ADMINS, by="admin"),
    Case("not-found", "/nothing/here", dict.fromkeys(("nobody", "owner", "stranger", "admin"), 404)),
    Case("no-instance", "/instances/00000000-0000-0000-0000-000000000000", ABSENT),
    Case("reference", "/api/docs", OPEN, repeats=".reference > section ~ section ~ section, .reference nav li ~ li"),
)
