"""Everything that changes an instance. API, pages, engines and the sweeper call these and write no state themselves."""

from saltant.server.tasks.arguments import Refused
from saltant.server.tasks.services.attempts import finish, finish_many
from saltant.server.tasks.services.claims import claim, claim_many
from saltant.server.tasks.services.ends import Conflict, is_leased, report, terminate
from saltant.server.tasks.services.promises import set_paused, update_type
from saltant.server.tasks.services.recovery import recover, sweep
from saltant.server.tasks.services.submission import clone, submit, usable_queues
from saltant.server.tasks.services.workers import announce, heartbeat, leave

__all__ = [
    "Conflict",
    "Refused",
    "announce",
    "claim",
    "claim_many",
    "clone",
    "finish",
    "finish_many",
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
