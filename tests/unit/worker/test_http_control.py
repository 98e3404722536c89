"""The control over HTTP, against a real server of HTTP."""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from saltant.exceptions import AuthenticationError, ConnectionFailed, ServerError
from saltant.jobs import Attempt, End, Kind, Ticket
from saltant.reasons import Reason
from saltant.worker.control.http import HttpControl, base_url
from saltant.workers import Announcement, Refused
from tests.unit.worker.rig import Rig, until
from tests.unit.worker.web import TOKEN, Web

SAID = Announcement(worker="w", queues=["default"], kinds=[Kind.EXECUTABLE], slots=2)


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.close()


@pytest.fixture
def control(web: Web) -> HttpControl:
    return HttpControl(web.url + "/api/", TOKEN)


def ticket(web: Web) -> Ticket:
    return Ticket(web.server.submit("/bin/true"), "default", Kind.EXECUTABLE)


def paths(web: Web) -> list[str]:
    return [path.rpartition("/")[2] for path, _ in web.requests]


def test_jobs_run_over_http(web: Web, make_rig: Callable[..., Rig]) -> None:
    rig = make_rig(control=HttpControl(web.url, TOKEN), slots=3, heartbeat_seconds=0.05)
    web.server.tickets = rig.server.tickets
    web.server.jobs = rig.server.jobs
    attempts = [rig.submit("/bin/sh -c 'exit 3'") for _ in range(10)]
    until(lambda: all(attempt in web.server.ends for attempt in attempts))
    assert {end.exit_code for end in web.server.ends.values()} == {3}
    until(lambda: web.server.heartbeats)
    rig.close()
    assert web.server.left == [False]


def test_an_announcement_tells_all_and_learns_the_lease(web: Web, control: HttpControl) -> None:
    web.lease = 7.5
    attempt = Attempt(uuid4(), 2)
    control.announce(SAID, [attempt])
    control.announce(SAID)
    assert control.lease == 7.5
    assert web.server.holding == [{attempt}, None]
    assert web.server.announced == [("w", ["default"], {Kind.EXECUTABLE}, 2)] * 2


def test_a_server_says_who_it_is_and_an_older_one_does_not(web: Web, control: HttpControl) -> None:
    assert control.server == ""
    web.more = {"server": "abc"}
    control.announce(SAID)
    assert control.server == "abc"
    web.more = {"server": None}
    control.announce(SAID)
    assert control.server == ""


def test_what_is_live_is_asked_in_parts(web: Web, control: HttpControl) -> None:
    live = ticket(web)
    assert control.claim(live, "w") is not None
    others = [Attempt(uuid4(), 1) for _ in range(1000)]
    web.requests.clear()
    assert set(control.live([*others, live.attempt])) == {live.attempt}
    assert paths(web) == ["live", "live"]
    assert control.live([]) == set()


@pytest.mark.parametrize("status", [400, 401, 403, 409, 426])
def test_what_a_server_refuses_is_told_in_its_own_words(web: Web, control: HttpControl, status: int) -> None:
    web.answer = (status, '{"detail": "Not like this."}')
    with pytest.raises(Refused, match=r"^http://127\.0\.0\.1:\d+ refuses this worker: Not like this\.") as caught:
        control.announce(SAID)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("answer", [(404, "no such page"), (500, "oops"), (503, "{}"), (200, "[]"), (200, "{}")])
def test_other_trouble_is_no_refusal(web: Web, control: HttpControl, answer: tuple[int, str]) -> None:
    web.answer = answer
    with pytest.raises(Exception, match=r"404|500|503|object|time") as caught:
        control.announce(SAID)
    assert not isinstance(caught.value, Refused)


def test_a_wrong_token_is_named(web: Web) -> None:
    control = HttpControl(web.url, "wrong")
    with pytest.raises(Refused, match="SALTANT_WORKER_TOKEN"):
        control.announce(SAID)
    with pytest.raises(AuthenticationError, match="Check the token"):
        control.heartbeat("w", {})


def test_a_server_that_is_away_is_named_without_credentials(web: Web) -> None:
    web.close()
    control = HttpControl(web.url.replace("//", "//ada:secret@"), TOKEN)
    with pytest.raises(ConnectionFailed, match=r"http://127\.0\.0\.1:\d+/api/worker/announce failed") as caught:
        control.announce(SAID)
    assert "secret" not in str(caught.value)


def test_an_idle_worker_claims_at_once_and_alone(web: Web, control: HttpControl) -> None:
    for _ in range(3):
        assert control.claim(ticket(web), "w") is not None
    assert [len(body["tickets"]) for _, body in web.requests] == [1, 1, 1]
    assert web.connections == 1


def test_calls_that_come_meanwhile_go_together(web: Web, control: HttpControl) -> None:
    tickets = [ticket(web) for _ in range(251)]
    web.gate.clear()
    with ThreadPoolExecutor(len(tickets)) as pool:
        first = pool.submit(control.claim, tickets[0], "w")
        until(lambda: web.under_way == 1)
        others = [pool.submit(control.claim, each, "w") for each in tickets[1:]]
        until(lambda: len(control._turns._waiting) == 250)
        web.gate.set()
        jobs = [future.result(30) for future in [first, *others]]
    assert [job.attempt for job in jobs if job is not None] == [each.attempt for each in tickets]
    assert [len(body["tickets"]) for _, body in web.requests] == [1, 100, 100, 50]


def test_ends_go_together_and_each_gets_its_own_answer(web: Web, control: HttpControl) -> None:
    attempts = [Attempt(uuid4(), number) for number in range(1, 21)]
    accepts = web.server.finish
    web.server.finish = lambda attempt, worker, end: accepts(attempt, worker, end) and attempt.number % 2 == 0  # type: ignore[method-assign]
    web.gate.clear()
    with ThreadPoolExecutor(20) as pool:
        end = End(Reason.EXITED, exit_code=0)
        futures = [pool.submit(control.finish, attempts[0], "w", end)]
        until(lambda: web.under_way == 1)
        futures += [pool.submit(control.finish, each, "w", end) for each in attempts[1:]]
        until(lambda: len(control._turns._waiting) == 19)
        web.gate.set()
        assert [future.result(30) for future in futures] == [each.number % 2 == 0 for each in attempts]
    assert paths(web) == ["finish", "finish"]


def test_claims_and_ends_share_requests(web: Web, control: HttpControl) -> None:
    attempts = [Attempt(uuid4(), 1) for _ in range(5)]
    tickets = [ticket(web) for _ in range(5)]
    web.gate.clear()
    with ThreadPoolExecutor(11) as pool:
        first = pool.submit(control.claim, ticket(web), "w")
        until(lambda: web.under_way == 1)
        futures = [
            future
            for attempt, each in zip(attempts, tickets, strict=True)
            for future in (
                pool.submit(control.finish, attempt, "w", End(Reason.EXITED, exit_code=0)),
                pool.submit(control.claim, each, "w"),
            )
        ]
        until(lambda: len(control._turns._waiting) == 10)
        web.gate.set()
        assert first.result(30) is not None
        answers = [future.result(30) for future in futures]
    assert answers[0::2] == [True] * 5
    assert [job.attempt for job in answers[1::2]] == [each.attempt for each in tickets]
    assert paths(web) == ["claim", "exchange"]


def test_an_outage_meets_every_call_of_a_batch_and_the_next_goes_through(web: Web, control: HttpControl) -> None:
    web.gate.clear()
    web.server.troubles["claim"] = 1
    with ThreadPoolExecutor(10) as pool:
        first = pool.submit(control.claim, ticket(web), "w")
        until(lambda: web.under_way == 1)
        others = [pool.submit(control.claim, ticket(web), "w") for _ in range(5)]
        until(lambda: len(control._turns._waiting) == 5)
        web.gate.set()
        assert isinstance(first.exception(30), ServerError)
        assert all(future.result(30) is not None for future in others)


def test_one_bad_call_does_not_spoil_the_others(web: Web, control: HttpControl) -> None:
    web.gate.clear()
    web.refuses_many = True
    with ThreadPoolExecutor(10) as pool:
        futures = [pool.submit(control.claim, ticket(web), "w")]
        until(lambda: web.under_way == 1)
        futures += [pool.submit(control.claim, ticket(web), "w") for _ in range(5)]
        until(lambda: len(control._turns._waiting) == 5)
        web.gate.set()
        assert all(future.result(30) is not None for future in futures)


def test_times_are_told_by_the_servers_clock(web: Web, control: HttpControl, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "saltant.worker")
    started = datetime(2026, 1, 1, tzinfo=UTC)
    attempt = Attempt(uuid4(), 1)
    web.ahead = 3600.0
    control.announce(SAID)
    control.heartbeat("w", {attempt: started, Attempt(uuid4(), 1): None})
    control.finish(attempt, "w", End(Reason.EXITED, exit_code=0, started=started))
    told = datetime.fromisoformat(web.requests[1][1]["running"][0]["started"])
    assert timedelta(seconds=3590) < told - started < timedelta(seconds=3610)
    assert web.server.ends[attempt].started == told
    assert web.server.ends[attempt].finished is None
    assert len(caplog.records) == 1
    assert "3600" in caplog.text
    assert "behind the server's" in caplog.text
    web.ahead = -600.0
    control.heartbeat("w", {})
    assert "600.0 s ahead of the server's" in caplog.text
    web.ahead = 0.0
    control.heartbeat("w", {})
    assert "agrees" in caplog.text
    control.heartbeat("w", {attempt: started})
    assert web.requests[-1][1]["running"][0]["started"] == started.isoformat()


def test_a_small_difference_is_left_alone(web: Web, control: HttpControl, caplog: pytest.LogCaptureFixture) -> None:
    web.ahead = 0.6
    started, attempt = datetime(2026, 1, 1, tzinfo=UTC), Attempt(uuid4(), 1)
    control.heartbeat("w", {attempt: started})
    control.heartbeat("w", {attempt: started})
    assert web.requests[-1][1]["running"][0]["started"] == started.isoformat()
    assert caplog.records == []


def test_many_threads_may_call_anything(web: Web, control: HttpControl) -> None:
    done = threading.Barrier(9)

    def work(number: int) -> int:
        done.wait()
        for _ in range(20):
            job = control.claim(ticket(web), f"w{number}")
            assert job is not None
            assert control.finish(job.attempt, f"w{number}", End(Reason.EXITED, exit_code=0))
            control.heartbeat("w", {})
        return number

    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(work, number) for number in range(8)]
        done.wait()
        assert [future.result(60) for future in futures] == list(range(8))
    assert len(web.server.ends) == 160


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("https://a.example", "https://a.example"),
        ("https://a.example/", "https://a.example"),
        ("https://a.example/api/", "https://a.example"),
        ("https://a.example/api", "https://a.example"),
        (" http://[::1]:8000/lab/api/ ", "http://[::1]:8000/lab"),
    ],
)
def test_a_server_is_named_with_or_without_api(given: str, url: str) -> None:
    assert base_url(given) == url


@pytest.mark.parametrize("given", ["", "a.example", "ftp://a.example", "http://", "http://a:port", "http://a/?x=1"])
def test_what_names_no_server_is_a_sentence(given: str) -> None:
    with pytest.raises(ValueError, match=r"must be like https://"):
        base_url(given)


def test_a_server_without_tls_is_not_spoken_to_over_https(web: Web) -> None:
    control = HttpControl(web.url.replace("http://", "https://"), TOKEN)
    with pytest.raises(ConnectionFailed, match="no secure connection"):
        control.announce(SAID)
