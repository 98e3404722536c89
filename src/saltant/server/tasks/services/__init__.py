"""Everything that changes an instance. API, pages, engines and the sweeper call these and write no state themselves."""

from saltant.server.tasks.arguments import Refused
from saltant.server.tasks.services.attempts import announce, claim, finish, heartbeat, leave
from saltant.server.tasks.services.ends import Conflict, is_leased, report, terminate
from saltant.server.tasks.services.promises import set_paused, update_type
from saltant.server.tasks.services.recovery import recover, sweep
from saltant.server.tasks.services.submission import clone, submit, usable_queues

__all__ = [
    "Conflict",
    "Refused",
    "announce",
    "claim",
    "clone",
    "finish",
    "heartbeat",
    "is_leased",
    "leave",
    "recover",
    "report",
    "set_paused",
    "submit",
    "sweep",
    "terminate",
    "update_type",
    "usable_queues",
]
