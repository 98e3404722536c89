"""The states of a task instance: the one list of them, and the one graph."""

from enum import StrEnum


class State(StrEnum):
    """A state of a task instance, in the order of its life.

    >>> State.CREATED.can_become(State.RUNNING)
    True
    >>> State("failed").is_finished
    True
    """

    CREATED = "created"
    PUBLISHED = "published"
    RUNNING = "running"
    SUCCESSFUL = "successful"
    FAILED = "failed"
    TERMINATED = "terminated"

    @property
    def is_finished(self) -> bool:
        """Whether nothing can follow this state."""
        return not NEXT[self]

    def can_become(self, other: "State") -> bool:
        """Whether somebody may move an instance from this state to `other`.

        The step from running back to published, a new attempt, is the server's own and not listed here.
        """
        return other in NEXT[self]


NEXT: dict[State, frozenset[State]] = {
    State.CREATED: frozenset({State.PUBLISHED, State.RUNNING, State.FAILED, State.TERMINATED}),
    State.PUBLISHED: frozenset({State.RUNNING, State.FAILED, State.TERMINATED}),
    State.RUNNING: frozenset({State.SUCCESSFUL, State.FAILED, State.TERMINATED}),
    State.SUCCESSFUL: frozenset(),
    State.FAILED: frozenset(),
    State.TERMINATED: frozenset(),
}

WAITING = (State.CREATED, State.PUBLISHED)
"""The states in which no worker has claimed the instance."""

FINISHED = tuple(state for state in State if state.is_finished)

UNFINISHED = tuple(state for state in State if not state.is_finished)
