from datetime import timedelta

import pytest

from saltant.server.accounts.models import User
from saltant.server.tasks import dispatch, services
from saltant.server.tasks.arguments import WORD_LIMIT
from saltant.server.tasks.models import TaskType
from saltant.server.tasks.services import Refused
from tests.integration.tasks.conftest import Lab


def refusal(lab: Lab, arguments: object = None) -> dict[str, list[str]]:
    with pytest.raises(Refused) as refused:
        lab.submit(arguments)
    return refused.value.errors


def test_an_instance_is_published_once_it_is_committed(lab: Lab) -> None:
    instance = lab.submit({"a": 1})
    ticket = lab.ticket()
    assert ticket is not None
    assert ticket.attempt.uuid == instance.uuid
    assert ticket.attempt.number == 1
    assert instance.state == "published"


def test_without_an_engine_it_stays_created_and_a_sweep_publishes_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    dispatch.use(None)
    instance = lab.submit()
    assert instance.state == "created"
    dispatch.use(lab.engine)
    monkeypatch.setattr("saltant.server.tasks.services.due.REPUBLISH_AFTER", -timedelta(minutes=1))
    services.sweep()
    instance.refresh_from_db()
    assert instance.state == "published"
    assert lab.ticket() is not None


def test_defaults_are_filled_in_and_stored(lab: Lab) -> None:
    lab.task_type.required_arguments = ["a", "b"]
    lab.task_type.required_arguments_default_values = {"b": [2]}
    lab.task_type.save()
    assert lab.submit({"z": 0, "a": 1}).arguments == {"z": 0, "a": 1, "b": [2]}
    assert lab.submit({"b": None, "a": 1}).arguments == {"b": None, "a": 1}
    assert "'a'" in refusal(lab, {"b": 1})["non_field_errors"][0]


@pytest.mark.parametrize("arguments", [[], "a", 1, True, [{"a": 1}]])
def test_arguments_are_an_object(lab: Lab, arguments: object) -> None:
    assert "JSON object" in refusal(lab, arguments)["non_field_errors"][0]


@pytest.mark.parametrize("arguments", [{"a": "\0"}, {"a": [{"\0": 1}]}, {"a": "\ud800"}, {"\udfff": 1}])
def test_what_no_command_line_carries_is_refused(lab: Lab, arguments: object) -> None:
    assert "may not hold" in refusal(lab, arguments)["arguments"][0]


def test_one_word_is_bounded_and_a_file_is_not(lab: Lab) -> None:
    room = WORD_LIMIT - len('{"a": ""}')
    lab.submit({"a": "x" * room})
    assert "json_file_option" in refusal(lab, {"a": "x" * (room + 1)})["arguments"][0]
    lab.task_type.json_file_option = "--file"
    lab.submit({"a": "x" * (room + 1)})


def test_the_queue_must_run_its_kind(lab: Lab) -> None:
    lab.queue.runs_executable_tasks = False
    assert "executables" in refusal(lab)["non_field_errors"][0]


def test_a_whitelist_must_hold_the_type(lab: Lab) -> None:
    lab.whitelist.task_types.clear()
    assert "whitelist" in refusal(lab)["non_field_errors"][0]


def test_an_instance_is_a_snapshot_of_its_type(lab: Lab) -> None:
    lab.submit()
    TaskType.objects.update(command_to_run="/bin/false", json_file_option="--new", environment_variables=["NEW"])
    ticket = lab.ticket()
    assert ticket is not None
    job = services.claim(ticket, "w1")
    assert job is not None
    assert (job.command_to_run, job.json_file_option, job.environment_variables) == ("/bin/true", None, [])


def test_a_clone_is_the_cloners_and_follows_the_type_as_it_is_now(lab: Lab) -> None:
    first = lab.submit({"a": 1})
    TaskType.objects.update(command_to_run="/bin/false")
    other = User.objects.create_user("other")
    clone = services.clone(user=other, instance=first.__class__.objects.get(pk=first.pk))
    assert (clone.user, clone.arguments, clone.name) == (other, first.arguments, first.name)
    assert clone.uuid != first.uuid
    assert clone.snapshot["command_to_run"] == "/bin/false"


@pytest.mark.parametrize("change", [{"active": False}, {"private": True}])
def test_a_clone_obeys_the_rules_of_its_cloner(lab: Lab, change: dict[str, bool]) -> None:
    instance = lab.submit()
    type(lab.queue).objects.update(**change)
    with pytest.raises(Refused) as refused:
        services.clone(user=User.objects.create_user("other"), instance=instance)
    assert refused.value.errors == {"task_queue": [f'Invalid pk "{lab.queue.pk}" - object does not exist.']}
