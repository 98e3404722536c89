"""What a worker can run now: its engines come and go while it works."""

import threading
import time
from collections.abc import Callable, Collection
from uuid import uuid4

import pytest

from saltant.jobs import Attempt, End, Job, Kind
from saltant.reasons import Reason
from saltant.worker.engines import FRESH, Engines
from saltant.worker.runners.base import AreLive
from saltant.worker.running import Running
from tests.unit.worker.rig import Rig, until

MakeRig = Callable[..., Rig]


class Engine:
    """Runs nothing, and says so or not: what is tried here is what a worker makes of that."""

    def __init__(self, why: str = "") -> None:
        self.why = why
        self.fault: Exception | None = None
        self.asked = 0
        self.swept: list[Collection[Attempt]] = []
        self.left: list[Attempt] = []
        self.gone = threading.Event()

    def run(self, job: Job, running: Running) -> End:
        if self.why:
            return End(Reason.ENGINE_UNAVAILABLE, self.why)
        return End(Reason.EXITED, exit_code=0)

    def why_not(self) -> str:
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        return self.why

    def sweep(self, are_live: AreLive) -> None:
        self.swept.append(are_live(self.left))

    def close(self, timeout: float) -> None:
        pass


def make(engine: Engine, **options: object) -> tuple[Engines, list[list[Kind]]]:
    changes: list[list[Kind]] = []
    engines = Engines(
        {Kind.EXECUTABLE: Engine(), Kind.DOCKER: engine},
        on_change=lambda: changes.append(list(engines)),
        are_live=lambda attempts: attempts,
        knows_server=lambda: True,
        **options,  # type: ignore[arg-type]
    )
    return engines, changes


def test_kinds_are_there_once_they_were_asked() -> None:
    engine = Engine("No engine.")
    engines, changes = make(engine)
    assert not engines
    engines.look()
    assert (list(engines), Kind.DOCKER in engines, len(engines)) == ([Kind.EXECUTABLE], False, 1)
    engine.why = ""
    engines.look()
    engines.look()
    assert changes == [[Kind.EXECUTABLE], [Kind.EXECUTABLE, Kind.DOCKER]], "what does not change is not told"


def test_an_engine_that_cannot_be_asked_is_none(caplog: pytest.LogCaptureFixture) -> None:
    engine = Engine()
    engines, changes = make(engine)
    engines.look()
    engine.fault = OSError("no such socket")
    engines.look()
    assert changes[-1] == [Kind.EXECUTABLE]
    assert "Docker containers cannot be run here any more" in caplog.text


def test_before_a_claim_an_old_answer_is_asked_again_and_a_doubted_one_too() -> None:
    engine = Engine()
    engines, changes = make(engine)
    engines.look()
    engine.why = "It stopped."
    assert engines.can_run(Kind.DOCKER), "it answered a moment ago"
    engines.doubt(Kind.DOCKER)
    assert not engines.can_run(Kind.DOCKER)
    assert changes[-1] == [Kind.EXECUTABLE]
    asked = engine.asked
    assert not engines.can_run(Kind.DOCKER)
    assert engine.asked == asked, "who asks often does not wear the engine out"
    engine.why = ""
    engines._asked[Kind.DOCKER] = time.monotonic() - FRESH - 1
    assert engines.can_run(Kind.DOCKER)
    assert Kind.SINGULARITY not in engines
    assert not engines.can_run(Kind.SINGULARITY)


def test_a_worker_announces_what_it_can_run_and_takes_no_more(make_rig: MakeRig) -> None:
    engine = Engine("The engine is away.")
    rig = make_rig(runners={Kind.DOCKER: engine}, engines_seconds=0.02)
    until(lambda: rig.server.announced)
    assert rig.server.announced[0][2] == {Kind.EXECUTABLE}
    waits = rig.submit("x", kind=Kind.DOCKER)
    assert rig.run("/bin/true")[0].exit_code == 0
    assert waits not in rig.server.claimed
    engine.why = ""
    assert rig.end_of(waits).exit_code == 0
    until(lambda: rig.server.announced[-1][2] == {Kind.EXECUTABLE, Kind.DOCKER}, "it did not announce itself again")
    assert rig.server.holding[-1] is None, "that is no start: what it holds stays"


def test_a_job_whose_engine_died_tells_and_the_next_one_waits(make_rig: MakeRig) -> None:
    engine = Engine()
    rig = make_rig(runners={Kind.DOCKER: engine}, slots=1)
    until(lambda: rig.server.announced)
    engine.why = "It stopped."
    ends = rig.end_of(rig.submit("x", kind=Kind.DOCKER))
    assert ends.reason is Reason.ENGINE_UNAVAILABLE
    until(lambda: rig.server.announced[-1][2] == {Kind.EXECUTABLE}, "it did not say that the engine is gone")
    waits = rig.submit("x", kind=Kind.DOCKER)
    assert rig.run("/bin/true")[0].exit_code == 0
    assert waits not in rig.server.claimed


def test_a_ticket_in_hand_goes_back_when_its_engine_is_away(make_rig: MakeRig) -> None:
    engine = Engine()
    rig = make_rig(runners={Kind.DOCKER: engine}, slots=1)
    until(lambda: rig.server.announced)
    engine.why = "It stopped."
    rig.worker._engines._asked[Kind.DOCKER] = float("-inf")
    waits = rig.submit("x", kind=Kind.DOCKER)
    until(lambda: rig.server.announced[-1][2] == {Kind.EXECUTABLE})
    assert rig.run("/bin/true")[0].exit_code == 0
    assert [ticket.attempt for ticket in rig.server.tickets] == [waits]
    assert waits not in rig.server.claimed


def test_what_is_left_is_swept_at_the_start_and_again(make_rig: MakeRig) -> None:
    engine = Engine()
    engine.left = [Attempt(uuid4(), 1)]
    rig = make_rig(runners={Kind.DOCKER: engine}, engines_seconds=0.02, start=False)
    rig.server.troubles["live"] = 1
    rig.worker.start()
    until(lambda: len(engine.swept) >= 2, "a server that was away once is asked again")
    assert not any(engine.swept), "nothing of it holds a lease"


def test_nothing_is_swept_where_the_server_does_not_say_who_it_is(make_rig: MakeRig) -> None:
    engine = Engine()
    rig = make_rig(runners={Kind.DOCKER: engine}, engines_seconds=0.01, start=False)
    rig.server.server = ""
    rig.worker.start()
    until(lambda: engine.asked > 3)
    assert engine.swept == []
