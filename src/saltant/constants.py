"""The constants of the SDK."""

from saltant.states import FINISHED, State

DEFAULT_TIMEOUT_SECONDS = 90
"""How many seconds a request may take."""

DEFAULT_TASK_INSTANCE_WAIT_REFRESH_PERIOD = 5
"""How many seconds a wait lets pass between two looks at a task instance."""

CREATED = State.CREATED.value
PUBLISHED = State.PUBLISHED.value
RUNNING = State.RUNNING.value
SUCCESSFUL = State.SUCCESSFUL.value
FAILED = State.FAILED.value
TERMINATED = State.TERMINATED.value

TASK_INSTANCE_FINISH_STATUSES = tuple(state.value for state in FINISHED)
"""The states of a task instance that nothing follows."""

HTTP_200_OK = 200
HTTP_201_CREATED = 201
HTTP_202_ACCEPTED = 202
