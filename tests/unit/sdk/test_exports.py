"""What the package offers, and that it stays light."""

import importlib
import json
import subprocess
import sys

import pytest

import saltant

NAMES = [
    "AuthenticationError",
    "BadConfigError",
    "BadEnvironmentError",
    "BadHttpRequestError",
    "BadRequest",
    "ChecksumMismatch",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "ManyFailed",
    "NotFound",
    "PartialFailure",
    "PermissionDenied",
    "RateLimited",
    "RequestTimeout",
    "ResultRefused",
    "SaltantError",
    "ServerError",
    "State",
    "TaskFailed",
    "TransportError",
    "UnexpectedRedirect",
    "UnexpectedResponse",
    "UnsupportedByServer",
    "WaitTimeout",
    "__version__",
    "client",
    "constants",
    "exceptions",
    "from_config",
    "from_env",
    "models",
    "sweep",
]

MANAGERS = {
    "container_task_instance": "ContainerTaskInstance",
    "container_task_type": "ContainerTaskType",
    "executable_task_instance": "ExecutableTaskInstance",
    "executable_task_type": "ExecutableTaskType",
    "schedule": "Schedule",
    "task_queue": "TaskQueue",
    "task_whitelist": "TaskWhitelist",
    "user": "User",
    "worker": "Worker",
    "base_task_instance": "BaseTaskInstance",
    "base_task_type": "BaseTaskType",
    "resource": "Model",
}

TOP_LEVEL = "import json, sys; print(json.dumps(sorted({m.partition('.')[0] for m in sys.modules})))"
EARLY = "import json, sys, saltant; print(json.dumps(sorted(m for m in sys.modules if m.startswith('saltant'))))"


def fresh(program: str) -> list[str]:
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    modules: list[str] = json.loads(answer.stdout)
    return modules


def test_exported_names() -> None:
    assert saltant.__all__ == NAMES
    for name in NAMES:
        assert getattr(saltant, name) is not None
    assert set(NAMES) <= set(dir(saltant))


def test_a_name_that_is_not_there() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        saltant.nothing  # noqa: B018


@pytest.mark.parametrize(("module", "name"), MANAGERS.items())
def test_documented_import_paths(module: str, name: str) -> None:
    found = importlib.import_module(f"saltant.models.{module}")
    assert issubclass(getattr(found, name + "Manager"), saltant.models.resource.ModelManager)
    assert issubclass(getattr(found, name), saltant.models.resource.Model)


def test_constants() -> None:
    constants = importlib.import_module("saltant.constants")
    assert (constants.DEFAULT_TIMEOUT_SECONDS, constants.DEFAULT_TASK_INSTANCE_WAIT_REFRESH_PERIOD) == (90, 5)
    assert (constants.HTTP_200_OK, constants.HTTP_201_CREATED, constants.HTTP_202_ACCEPTED) == (200, 201, 202)
    states = ["created", "published", "running", "successful", "failed", "terminated"]
    assert [getattr(constants, state.upper()) for state in states] == states
    assert list(constants.TASK_INSTANCE_FINISH_STATUSES) == states[3:]


def test_the_package_loads_nothing_by_itself() -> None:
    assert fresh(EARLY) == ["saltant"]


def test_the_client_loads_requests_alone() -> None:
    needs = fresh(f"import saltant.exceptions, saltant.constants; from saltant import Client, from_env; {TOP_LEVEL}")
    allowed = fresh(f"import requests; {TOP_LEVEL}")
    assert set(needs) - set(allowed) - sys.stdlib_module_names == {"saltant"}
