import pytest

from saltant.jobs import Attempt, End
from saltant.reasons import Reason
from saltant.server.tasks import services
from saltant.server.tasks.models import TaskInstance
from saltant.server.tasks.services import Conflict
from saltant.states import State
from tests.integration.tasks.conftest import Lab


def in_state(lab: Lab, state: State) -> TaskInstance:
    """An instance that no worker holds, in `state`."""
    instance = lab.submit()
    TaskInstance.objects.filter(pk=instance.pk).update(state=state)
    instance.refresh_from_db()
    return instance


def test_terminating_what_waits_ends_it_at_once_and_it_never_starts(lab: Lab) -> None:
    instance = lab.submit()
    services.terminate(instance=instance, user=lab.user)
    instance.refresh_from_db()
    assert (instance.state, instance.reason, instance.message) == ("terminated", "cancelled", "Terminated by owner.")
    assert instance.datetime_finished is not None
    ticket = lab.ticket()
    assert ticket is not None
    assert services.claim(ticket, "w1") is None


def test_terminating_what_runs_waits_for_its_worker(lab: Lab) -> None:
    instance = lab.claim()
    hints: list[object] = []
    lab.engine.on_cancel = hints.append
    services.terminate(instance=instance, user=lab.user)
    instance.refresh_from_db()
    assert instance.state == "running"
    assert hints == [instance.uuid]
    assert services.finish(Attempt(instance.uuid, 1), "w1", End(Reason.CANCELLED, signal=15))
    instance.refresh_from_db()
    assert (instance.state, instance.message) == ("terminated", "Terminated by owner.")


def test_a_program_that_ended_by_itself_keeps_its_own_end(lab: Lab) -> None:
    instance = lab.claim()
    services.terminate(instance=instance, user=lab.user)
    services.finish(Attempt(instance.uuid, 1), "w1", End(Reason.EXITED, exit_code=0))
    instance.refresh_from_db()
    assert instance.state == "successful"


def test_terminating_what_ended_changes_nothing(lab: Lab) -> None:
    instance = lab.claim()
    services.finish(Attempt(instance.uuid, 1), "w1", End(Reason.EXITED, exit_code=0))
    instance.refresh_from_db()
    before = {key: value for key, value in vars(instance).items() if key != "_state"}
    services.terminate(instance=instance, user=lab.user)
    instance.refresh_from_db()
    assert {key: value for key, value in vars(instance).items() if key != "_state"} == before


@pytest.mark.parametrize("current", State)
@pytest.mark.parametrize("wanted", [state for state in State if state is not State.TERMINATED])
def test_reports_follow_the_graph(lab: Lab, current: State, wanted: State) -> None:
    instance = in_state(lab, current)
    allowed = current is wanted or current.can_become(wanted)
    if allowed:
        assert services.report(instance=instance, state=wanted, user=lab.user) is wanted
    else:
        with pytest.raises(Conflict) as conflict:
            services.report(instance=instance, state=wanted, user=lab.user)
        assert conflict.value.current is current
    instance.refresh_from_db()
    assert instance.state == (wanted if allowed else current)
    if allowed and wanted.is_finished and current is not wanted:
        assert instance.datetime_finished is not None
        assert instance.reason == "reported"


@pytest.mark.parametrize("current", State)
def test_reporting_terminated_is_a_terminate(lab: Lab, current: State) -> None:
    instance = in_state(lab, current)
    expected = current if current.is_finished else State.TERMINATED
    assert services.report(instance=instance, state=State.TERMINATED, user=lab.user) is expected


def test_while_a_worker_holds_it_nobody_else_reports(lab: Lab) -> None:
    instance = lab.claim()
    for wanted in (State.SUCCESSFUL, State.FAILED, State.PUBLISHED):
        with pytest.raises(Conflict):
            services.report(instance=instance, state=wanted, user=lab.user)
    assert services.report(instance=instance, state=State.RUNNING, user=lab.user) is State.RUNNING
    assert services.report(instance=instance, state=State.TERMINATED, user=lab.user) is State.RUNNING


def test_a_conflict_names_a_worker_only_where_one_is(lab: Lab) -> None:
    held, by_hand = lab.claim(), lab.submit()
    services.report(instance=by_hand, state=State.RUNNING, user=lab.user)
    for instance, said in ((held, "A worker runs this instance"), (by_hand, "cannot become published")):
        with pytest.raises(Conflict, match=said):
            services.report(instance=instance, state=State.PUBLISHED, user=lab.user)


def test_reporting_running_takes_it_out_of_the_queue(lab: Lab) -> None:
    instance = lab.submit()
    services.report(instance=instance, state=State.RUNNING, user=lab.user)
    ticket = lab.ticket()
    assert ticket is not None
    assert services.claim(ticket, "w1") is None
    assert services.report(instance=instance, state=State.SUCCESSFUL, user=lab.user) is State.SUCCESSFUL
