"""Everything that changes an instance. API, pages, engines and the sweeper call these and write no state themselves."""

from saltant.server.tasks.arguments import Refused
from saltant.server.tasks.services.attempts import finish, finish_many
from saltant.server.tasks.services.claims import claim, claim_many
from saltant.server.tasks.services.ends import (
    Conflict,
    Miscounted,
    is_leased,
    report,
    terminate,
    terminate_many,
    terminate_matching,
)
from saltant.server.tasks.services.identity import server_identity
from saltant.server.tasks.services.labels import relabel
from saltant.server.tasks.services.many import Batch, TooLong
from saltant.server.tasks.services.promises import set_paused, update_type
from saltant.server.tasks.services.recovery import recover, sweep
from saltant.server.tasks.services.submission import clone, submit, usable_queues
from saltant.server.tasks.services.workers import announce, heartbeat, leave, live

__all__ = [
    "Batch",
    "Conflict",
    "Miscounted",
    "Refused",
    "TooLong",
    "announce",
    "claim",
    "claim_many",
    "clone",
    "finish",
    "finish_many",
    "heartbeat",
    "is_leased",
    "leave",
    "live",
    "recover",
    "relabel",
    "report",
    "server_identity",
    "set_paused",
    "submit",
    "sweep",
    "terminate",
    "terminate_many",
    "terminate_matching",
    "update_type",
    "usable_queues",
]
