"""What the OpenAPI document says in words: endpoints by their names in the URL configuration, fields, errors."""

from collections.abc import Mapping
from dataclasses import dataclass, field

TITLE = "saltant"
ABOUT = """
saltant runs scripts and containers on many machines. **Task types** say what can be run, **task queues** on which
machines, and **whitelists** which types a queue runs. A **task instance** is one run.

This is version {version} of the API. Both versions have the same paths. A request that says
`Accept: application/json; version=2` gets version 2, any other version 1, whose bodies never change; endpoints that
version 1 does not have need no header. Version 2 may get more keys: do not mind one that you do not know.

Every path works without its last slash too. Bodies are JSON or forms. In a form a JSON value is its text, a list of ids
the key repeated, and an empty number is null. Datetimes are UTC.

Sign in with a token (`Authorization: Token <key>`), a JWT (`Authorization: Bearer <access>`), or a browser's session,
which takes a CSRF token with every change.
"""


@dataclass(frozen=True)
class Words:
    """What one operation does.

    Attributes:
        summary: a line.
        more: particulars.
        errors: statuses beyond those of every operation, and what they mean.
    """

    summary: str
    more: str = ""
    errors: Mapping[int, str] = field(default_factory=dict)


UNKNOWN = {404: "There is no such thing."}
FORBIDDEN = {403: "It is neither yours, nor are you an admin."}
PAGING = {404: "There is no such page."}
OWN = UNKNOWN | FORBIDDEN
MAY_END = {403: "Neither the instance nor its queue is yours, nor are you an admin."}
MAY_READ = {
    404: "There is no such thing, or its bytes are lost.",
    403: "It was put on a private queue, and neither it nor the queue is yours, nor are you an admin.",
    503: "The server's store of files cannot be used now.",
}
RANGES = MAY_READ | {416: "The range has no byte of the file."}
TOO_MANY = {
    429: "Too many tries to sign in have failed. `Retry-After` says for how long, in seconds, nothing is tried."
}

LIST = "List {things}"
READ = "Read {a_thing}"
MAKE = "Make {a_thing}"
REPLACE = "Change {a_thing}"
ABSENT = "An optional key that is absent keeps its value."
PROMISE = (
    "Whoever changes what a type runs (command, variables, image, paths, options) takes it off every whitelist that is "
    "not their own and does not pin it, unless they are an admin. Version 2 names those whitelists."
)
EACH = (
    "The answer tells of each item, in order: the instance, or `errors` and `status`, which are body and status of the "
    "answer that a request about this one alone would have got. With `all_or_nothing` one that cannot be makes the "
    "answer a 400 with `failed`, whose items have an `index` as well, and nothing is done."
)
MEMBERS = "Other members stay as they are, so that two people who do this at once lose nothing."

TABLE: dict[tuple[str, str], Words] = {
    ("list", "GET"): Words(LIST, "A page of them, filtered by what the query says.", PAGING),
    ("detail", "GET"): Words(READ, errors=UNKNOWN),
    ("instance-list", "POST"): Words(
        "Run {a_thing_type}",
        "Makes an instance and hands it to the workers. A queue that is switched off, or private and somebody else's, "
        "is an unknown id. One of the queue's whitelists must hold the type.",
    ),
    ("instance-clone", "POST"): Words(
        "Run an instance once more",
        "With the same arguments, from its type as it is now; in version 2, with `as_was`, as the instance ran.",
        UNKNOWN,
    ),
    ("instance-many", "POST"): Words("Make many {things}", f"At most 10,000 in one request. {EACH}"),
    ("instance-clone-many", "POST"): Words("Run many {things} once more", EACH),
    ("instance-terminate-many", "POST"): Words(
        "Have many {things} ended",
        f"{EACH} With `filters` all are ended that they let through and that have not ended: all or none, and only if "
        "they are as many as expected.",
        {
            403: "One that the filters let through is not yours to end: none was ended.",
            409: "They are more, or fewer, than expected: none was ended.",
        },
    ),
    ("instance-counts", "GET"): Words(
        "Count {things}", "In groups, of those that the filters let through; what has none of it is null."
    ),
    ("instance-terminate", "POST"): Words(
        "Have an instance ended",
        "One that waits is terminated at once. One that runs stays `running` until its worker has confirmed that "
        "nothing of it is alive. One that has ended stays as it is.",
        UNKNOWN | MAY_END,
    ),
    ("instance-attempts", "GET"): Words(
        "List the attempts of an instance", "Each time that a worker claimed it, in order.", UNKNOWN
    ),
    ("instance-after", "GET"): Words(
        "List what an instance starts after", "In the order in which it was said; pruned ones are left out.", UNKNOWN
    ),
    ("instance-dependents", "GET"): Words(
        "List what starts after an instance", "The oldest first, 10000 at most.", UNKNOWN
    ),
    ("instance-logs", "GET"): Words("List the logs of an instance", "Of its current attempt.", MAY_READ),
    ("instance-log", "GET"): Words(
        "Read a log",
        "The bytes that there are by now, whatever they are. `Saltant-Log-Size` says how many there are in all, "
        "`Saltant-Attempt` of which attempt, `Saltant-Finished` whether it has ended, so that no more will come; "
        "`Saltant-Log-Offset`, with `tail`, where the lines begin. `stdout` and `stderr` are there, and empty, before "
        "the first byte is.",
        RANGES,
    ),
    ("instance-results", "GET"): Words(
        "List the results of an instance",
        "What its current attempt left in its results folder, and what of it the server does not have.",
        MAY_READ,
    ),
    ("instance-result", "GET"): Words("Read a result", "The `ETag` is its SHA-256.", RANGES),
    ("instance-results-zip", "GET"): Words("Read all results as a zip", "Made while it is sent.", MAY_READ),
    ("instance-results-tar", "GET"): Words("Read all results as a tar", "Made while it is sent.", MAY_READ),
    ("type-list", "POST"): Words(MAKE),
    ("type-revisions", "GET"): Words(
        "List the revisions of a type",
        "All that it was, the newest first: the first of them is what it is now.",
        UNKNOWN,
    ),
    ("type-revision", "GET"): Words("Read a revision of a type", errors=UNKNOWN),
    ("type-diff", "GET"): Words(
        "Compare two revisions of a type",
        "A revision with the one before, or with the one that `against` says.",
        UNKNOWN,
    ),
    ("type-restore", "POST"): Words(
        "Have a type go back to a revision",
        f"This makes a new revision, unless the type is so already. {PROMISE}",
        OWN,
    ),
    ("type-detail", "PUT"): Words(REPLACE, f"{ABSENT} {PROMISE}", OWN),
    ("list", "POST"): Words(MAKE),
    ("detail", "PUT"): Words(REPLACE, ABSENT, OWN),
    ("instance-detail", "PATCH"): Words(
        "Rename an instance, or give it labels",
        "Labels that are said replace all that it has. Nothing else of an instance can be changed.",
        OWN,
    ),
    ("detail", "PATCH"): Words("Change a part of {a_thing}", errors=OWN),
    ("archive", "POST"): Words(
        "Archive {a_thing}",
        "Nothing new is made with it; what waits and runs goes on, and nothing is lost. Twice is as good as once.",
        OWN,
    ),
    ("unarchive", "POST"): Words("Take {a_thing} into use again", errors=OWN),
    ("detail", "DELETE"): Words(
        "Delete {a_thing}",
        "As long as it was never used; what was used can be archived.",
        OWN | {409: "It was used, or something needs it: `detail` says what."},
    ),
    ("user-me", "GET"): Words("Read who you are", "The user whose token, JWT or session comes with the request."),
    ("user-detail", "PATCH"): Words(
        "Limit what a user runs",
        "`max_running` is all that can be changed here.",
        UNKNOWN | {403: "You are no admin."},
    ),
    ("worker-drain", "POST"): Words(
        "Have a worker take nothing new",
        "It hears of that with its next heartbeat, finishes what it runs, and leaves. Once the worker of `saltant up` "
        "is drained, nothing runs there until it is started again. One that has stopped stays as it is.",
        UNKNOWN | {403: "Neither is it yours, nor are you an admin."},
    ),
    ("schedule-list", "POST"): Words(
        MAKE,
        "Its type and its queue are looked at as if its owner, who makes it, ran an instance now; and so they are at "
        "each of its times.",
    ),
    ("schedule-detail", "DELETE"): Words("Delete a schedule", "The instances that it made stay.", OWN),
    ("schedule-run", "POST"): Words(
        "Run a schedule now",
        "Makes an instance for its owner, whatever the clock says, and whatever of it runs. The answer is the "
        "instance, as version 2 shows it, after `task_class`.",
        OWN,
    ),
    ("schedule-times", "GET"): Words("List the next times of a schedule", "Also of one that is not active.", UNKNOWN),
    ("whitelist-add", "POST"): Words("Add types to a whitelist", MEMBERS, OWN),
    ("whitelist-remove", "POST"): Words("Take types off a whitelist", MEMBERS, OWN),
    ("state", "PATCH"): Words(
        "Report the state of an instance",
        "For instances that no worker of this server runs. To `terminated` it is a terminate.",
        {
            404: "This is no UUID.",
            403: "The instance is not yours; or, with a worker's token, not on its queues.",
            409: "This state cannot follow the current one, or a worker holds the instance.",
        },
    ),
    ("wait", "POST"): Words(
        "Wait for task instances",
        "Answers when one of them has ended, or all have, or when the time is over; at once if that is so already. Of "
        "many ends, the first 1000 are told.",
    ),
    ("events", "GET"): Words(
        "Follow changes of task instances",
        "An event stream (text/event-stream) with an event `change` for each change of an instance's state; its data "
        "is the instance, as version 2 shows it, after `task_class`. It goes on until the client leaves or the server "
        "stops. A client that comes back with `Last-Event-ID` misses nothing, and may get some events twice.",
    ),
    ("token", "POST"): Words(
        "Sign in by JWT", "Gives an access token, for minutes, and a refresh token, for a day.", TOO_MANY
    ),
    ("token-refresh", "POST"): Words("Get another access token", errors=TOO_MANY),
    ("own-tokens", "GET"): Words("List your tokens", "Those for people that are not revoked, without their keys."),
    ("own-tokens", "POST"): Words(
        "Make a token of yours",
        "The answer alone holds its `key`. Sign in with a JWT or a session: a token makes no tokens.",
        {403: "The request came with a token, or a browser's lacks its CSRF token."},
    ),
    ("own-token", "DELETE"): Words(
        "Revoke a token of yours", "It opens nothing any more, at once.", {404: "You have no such token."}
    ),
    ("schema", "GET"): Words("This document", "Of the version that the query, or else the Accept header, asks for."),
}
"""By the end of an endpoint's name, and method; the longest end counts."""


MAKE_ONCE = ("-list", "schedule-run", "-clone", "instance-many", "-clone-many")
"""How the names of the endpoints end that make something."""
MANY = ("instance-many", "instance-clone-many", "instance-terminate-many")
"""How the names of the endpoints about many instances end."""
ONLY_IN_2 = frozenset(
    {
        "user-detail-patch",
        *(f"{name}-detail-delete" for name in ("executable-type", "container-type", "queue", "whitelist")),
        *(f"{kind}-{end}-post" for kind in ("executable", "container") for end in MANY),
        *(f"{kind}-instance-counts-get" for kind in ("executable", "container")),
        *(f"{kind}-instance-detail-patch" for kind in ("executable", "container")),
    }
)
"""Operations that version 1 does not have, or whose bodies it does not."""


def words_for(name: str, method: str) -> Words:
    """What the operation of an endpoint does."""
    parts = name.split("-")
    ends = ("-".join(parts[start:]) for start in range(len(parts)))
    return next(TABLE[end, method] for end in ends if (end, method) in TABLE)


NOUNS = {
    "executable-instance": ("an executable task instance", "executable task instances"),
    "container-instance": ("a container task instance", "container task instances"),
    "executable-type": ("an executable task type", "executable task types"),
    "container-type": ("a container task type", "container task types"),
    "queue": ("a task queue", "task queues"),
    "whitelist": ("a whitelist", "whitelists"),
    "schedule": ("a schedule", "schedules"),
    "user": ("a user", "users"),
    "worker": ("a worker", "workers"),
}


def nouns_for(name: str) -> dict[str, str]:
    """What an endpoint is about, for `Words` to be filled in with."""
    one, many = next((nouns for start, nouns in NOUNS.items() if name.startswith(start)), ("", ""))
    return {"a_thing": one, "things": many, "a_thing_type": one.replace("instance", "type")}


TAGS = dict.fromkeys(("state", "wait", "events"), "Task instances of both classes")
"""The groups of endpoints that are about no one kind of thing."""


def tag_for(name: str) -> str:
    """The group that an endpoint is shown in."""
    many = nouns_for(name)["things"]
    return many.capitalize() if many else TAGS.get(name, "Signing in, and this")


REUSED = {422: "The Idempotency-Key was used for another request."}
"""What operations may answer that heed that header."""

ERRORS = {
    400: "The request cannot be understood, or says something that cannot be.",
    401: "Nobody is signed in, or with something that opens nothing.",
    403: "A worker's token does not open this, or a browser's request lacks its CSRF token.",
    406: "The Accept header asks for something else than JSON, or for a version that there is not.",
    408: "The request did not arrive in time.",
    413: "The body is too large.",
    415: "The body is neither JSON nor a form.",
    500: "The server failed; its log says why.",
}
"""What every operation may answer."""

FIELDS = {
    "user": "The username of the owner. Null if there is none any more.",
    "command_to_run": "Split into words as a shell does it; no shell runs.",
    "environment_variables": "The names of the worker's environment variables that it gets.",
    "required_arguments": "The names of arguments that an instance must have.",
    "required_arguments_default_values": "Values of required arguments for instances that leave them out.",
    "json_file_option": "The option that is followed by the path of a file with the arguments. Null: they are "
    "the last word.",
    "logs_path": "Where the logs folder appears in the container.",
    "results_path": "Where the results folder appears in the container.",
    "private": "Only its owner puts instances on it.",
    "active": "Instances can be put on it.",
    "whitelists": "Ids of whitelists: the queue runs the types that one of them holds.",
    "arguments": "A JSON object; the program gets it as one word of JSON, or as a file.",
    "task_queue": "The id of a queue.",
    "task_type": "The id of a type.",
    "state": "created, published (handed to the workers), running, or how it ended.",
    "datetime_finished": "When it ended, if it has.",
    "host": "The name of its machine.",
    "version": "The version of saltant that it runs.",
    "queues": "The queues that it serves. Null: every queue.",
    "kinds": "What it can run: executable, docker, singularity.",
    "slots": "How many instances it runs at once.",
    "gpus": "Its GPUs, by name.",
    "datetime_announced": "When it was started.",
    "datetime_heartbeat": "When it was last heard of.",
    "number": "From 1.",
    "datetime_claimed": "When the worker claimed it.",
}
"""What fields mean whose names do not say it all, and whose serializers do not."""

LOOKUPS = {
    "exact": "equal to this",
    "contains": "that hold this text",
    "in": "among these, separated by commas",
    "startswith": "that begin so",
    "endswith": "that end so",
    "regex": "in which this regular expression is found",
    "year": "of this year",
    "range": "between these two, separated by a comma",
    "lt": "before this",
    "lte": "before this, or then",
    "gt": "after this",
    "gte": "after this, or then",
}
