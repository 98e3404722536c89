"""What workers say over HTTP. Only tokens of the role `worker` open this, and nothing of it is part of the API.

Every job passes through these views: they are plain Django, and read with prepared queries.
"""

import json
import logging
from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from saltant import protocol
from saltant.files import CannotKeep
from saltant.jobs import Ticket
from saltant.server.accounts.authentication import INVALID, credentials, find_token
from saltant.server.accounts.models import Role, Token
from saltant.server.api import json_input
from saltant.server.api.clocks import clocks
from saltant.server.api.errors import handle, json_error
from saltant.server.api.worker_rights import (
    Denied,
    check_name,
    check_protocol,
    check_queues,
    lanes_of,
    names_of,
    own,
    take_name,
    version,
)
from saltant.server.tasks import services
from saltant.workers import PROTOCOL, Orders, Refused

log = logging.getLogger("saltant.workers")

FORBIDDEN = "You do not have permission to perform this action."
NO_KEY = "A worker signs in with a token of its own: Authorization: Token <key>."

Act = Callable[[Token, Any], dict[str, Any]]
Read = Callable[[HttpRequest], Any]


def read_json(request: HttpRequest) -> Any:
    """The JSON of a request; None if it has no body."""
    return json_input.loads(request.body.decode()) if request.method == "POST" else None


def endpoint(act: Act, method: str = "POST", read: Read = read_json) -> Callable[[HttpRequest], HttpResponse]:
    """The view of what workers `act`: it has the request `read`, and answers with JSON."""

    # No cookie opens this, so there is nothing to forge.
    @csrf_exempt
    def view(request: HttpRequest) -> HttpResponse:
        try:
            token = _worker_token(request)
            if request.method != method:
                answer = json_error(405, f'Method "{request.method}" not allowed.')
                answer.headers["Allow"] = method
                return answer
            return HttpResponse(json.dumps(act(token, read(request))).encode(), content_type="application/json")
        except Denied as denied:
            answer = json_error(denied.status, denied.detail)
            if denied.status == 401:
                answer.headers["WWW-Authenticate"] = "Token"
            return answer
        except Refused as refused:
            return json_error(409, str(refused))
        except (protocol.Malformed, json_input.InvalidJSON, UnicodeDecodeError) as error:
            return json_error(400, str(error))
        except CannotKeep as error:
            log.error("%s", error)
            answer = json_error(507 if error.is_full else 503, str(error))
            answer.headers["Retry-After"] = "5"
            return answer
        except OperationalError as error:
            busy: HttpResponse = handle(error, {})
            return busy

    return view


def _worker_token(request: Any) -> Token:
    key = credentials(request, "token")
    if key is None:
        raise Denied(401, NO_KEY)
    token = find_token(key)
    if token is None or not token.is_valid(timezone.now()) or not token.user.is_active:
        raise Denied(401, INVALID)
    if token.role != Role.WORKER:
        raise Denied(403, FORBIDDEN)
    return token


@endpoint
def announce(token: Token, said: Any) -> dict[str, Any]:
    """A worker says what it is, at its start and when it is asked to."""
    check_protocol(said)
    announcement = protocol.announcement_from_json(said)
    holding, time = protocol.holding_from_json(said), protocol.time_of(said)
    served = check_queues(token, announcement)
    check_name(token, announcement)
    clocks.compare(announcement.worker, time)
    lanes = services.announce(announcement, holding, served)
    take_name(token, announcement.worker)
    about = {"lease": settings.SALTANT.lease, "version": version(), "server": services.server_identity()}
    return {**_now(), **about, "lanes": lanes}


@endpoint
def claim(token: Token, said: Any) -> dict[str, Any]:
    """A worker wants the jobs of some tickets. It gets those of its token's queues."""
    worker, tickets = protocol.worker_of(said), protocol.tickets_from_json(said)
    own(token, worker)
    return _claim(token, worker, tickets)


@endpoint
def finish(token: Token, said: Any) -> dict[str, Any]:
    """Attempts of a worker have ended."""
    worker, ends = protocol.worker_of(said), protocol.ends_from_json(said)
    own(token, worker)
    return {"accepted": services.finish_many(ends, worker)}


@endpoint
def exchange(token: Token, said: Any) -> dict[str, Any]:
    """Attempts of a worker have ended, and it wants the jobs of some tickets."""
    worker, ends, tickets = protocol.worker_of(said), protocol.ends_from_json(said), protocol.tickets_from_json(said)
    own(token, worker)
    # The ends first: they make room.
    return {"accepted": services.finish_many(ends, worker)} | _claim(token, worker, tickets)


def _claim(token: Token, worker: str, tickets: Sequence[Ticket]) -> dict[str, Any]:
    queues = lanes_of(token)
    lanes = set(queues.values())
    for foreign in sorted({ticket.queue for ticket in tickets} - lanes):
        log.warning("The worker %s asked for a job of the queue %r, which its token is not for.", worker, foreign)
    # What queue an instance is on the database knows: a ticket may lie.
    ours = [ticket for ticket in tickets if ticket.queue in lanes]
    jobs = iter(services.claim_many(ours, worker, queues.keys()) if ours else [])
    claimed = [next(jobs) if ticket.queue in lanes else None for ticket in tickets]
    return {"jobs": [None if job is None else protocol.job_to_json(job) for job in claimed]}


@endpoint
def heartbeat(token: Token, said: Any) -> dict[str, Any]:
    """A worker is alive, and so is what it runs."""
    worker = protocol.worker_of(said)
    running, time = protocol.running_from_json(said.get("running")), protocol.time_of(said)
    progress = protocol.progress_from_json(said.get("running"))
    if not own(token, worker, or_unknown=True):
        return {**protocol.orders_to_json(Orders(announce=True)), **_now()}
    clocks.compare(worker, time)
    return {**protocol.orders_to_json(services.heartbeat(worker, running, progress)), **_now()}


@endpoint
def live(token: Token, said: Any) -> dict[str, Any]:
    """A worker asks which of some attempts hold a lease: it found their containers on its machine."""
    return protocol.attempts_to_json(services.live(protocol.attempts_from_json(said)))


@endpoint
def leave(token: Token, said: Any) -> dict[str, Any]:
    """A worker takes nothing any more."""
    worker, draining = protocol.worker_of(said), protocol.is_draining(said)
    if own(token, worker, or_unknown=True):
        services.leave(worker, draining=draining)
    return {}


def _tell(token: Token, said: Any) -> dict[str, Any]:
    return {**_now(), "version": version(), "protocol": PROTOCOL, "queues": names_of(token)}


greeting = endpoint(_tell, "GET")
"""What this server is and what the token is for: for `saltant check` on a worker's machine, which changes nothing."""


def _now() -> dict[str, str]:
    return {"time": timezone.now().isoformat()}
