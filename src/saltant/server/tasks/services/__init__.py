"""Everything that changes an instance. API, pages, engines and the sweeper call these and write no state themselves."""

from saltant.server.tasks.arguments import Refused
from saltant.server.tasks.services.after import After
from saltant.server.tasks.services.archive import InUse, check_addable, delete, set_archived
from saltant.server.tasks.services.attempts import finish, finish_many
from saltant.server.tasks.services.births import claimed_at_once
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
from saltant.server.tasks.services.exchanges import exchange
from saltant.server.tasks.services.identity import server_identity
from saltant.server.tasks.services.labels import relabel
from saltant.server.tasks.services.many import Batch, TooLong
from saltant.server.tasks.services.names import Served, find_served, rename_queue
from saltant.server.tasks.services.pins import pin
from saltant.server.tasks.services.promises import at_stake, changes_what_runs, set_paused, update_type
from saltant.server.tasks.services.recovery import recover, sweep
from saltant.server.tasks.services.revisions import add_revision, differences, values_of
from saltant.server.tasks.services.schedules import check_schedule, plan, run_schedule, run_schedules, upcoming_times
from saltant.server.tasks.services.submission import clone, submit, usable_queues
from saltant.server.tasks.services.workers import announce, heartbeat, leave, live

__all__ = [
    "After",
    "Batch",
    "Conflict",
    "InUse",
    "Miscounted",
    "Refused",
    "Served",
    "TooLong",
    "add_revision",
    "announce",
    "at_stake",
    "changes_what_runs",
    "check_addable",
    "check_schedule",
    "claim",
    "claim_many",
    "claimed_at_once",
    "clone",
    "delete",
    "differences",
    "exchange",
    "find_served",
    "finish",
    "finish_many",
    "heartbeat",
    "is_leased",
    "leave",
    "live",
    "pin",
    "plan",
    "recover",
    "relabel",
    "rename_queue",
    "report",
    "run_schedule",
    "run_schedules",
    "server_identity",
    "set_archived",
    "set_paused",
    "submit",
    "sweep",
    "terminate",
    "terminate_many",
    "terminate_matching",
    "upcoming_times",
    "update_type",
    "usable_queues",
    "values_of",
]
