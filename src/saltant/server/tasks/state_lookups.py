"""Lookups of states for which SQLite finds its indexes.

Partial indexes hold the instances of a few states, however many there are of the others. SQLite takes one only where a
query says what the index says, word for word, and knows nothing of parameters: so a query that asks for some of those
states says that, too. Without it, whoever looks for what waits reads every instance that ever was.
"""

from collections.abc import Collection, Sequence
from typing import Any

from django.db.models import Field, lookups

from saltant.states import State

UNFINISHED_STATES = tuple(state.value for state in State if not state.is_finished)
ENDED_BADLY = (State.FAILED.value, State.TERMINATED.value)
GROUPS = (UNFINISHED_STATES, ENDED_BADLY)
"""The states of each index."""


def written(column: str, states: Sequence[str]) -> str:
    """As an index has it.

    >>> written("state", ENDED_BADLY)
    "state IN ('failed', 'terminated')"
    """
    return f"{column} IN ({', '.join(map(repr, states))})"


def are_indexed(states: Collection[Any]) -> bool:
    """Whether an index holds all of these states, and few others."""
    return _group_of(states) is not None


class _Exact(lookups.Exact):
    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, Sequence[Any]]:
        return _as_sqlite(self, [self.rhs], compiler, connection)


class _In(lookups.In):
    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, Sequence[Any]]:
        asked = self.rhs if isinstance(self.rhs, Collection) else [self.rhs]  # which is a query
        return _as_sqlite(self, asked, compiler, connection)


def _as_sqlite(lookup: Any, asked: Collection[Any], compiler: Any, connection: Any) -> tuple[str, Sequence[Any]]:
    sql, params = lookup.as_sql(compiler, connection)
    group = _group_of(asked)
    if group is None:
        return sql, params
    column, more = lookup.process_lhs(compiler, connection)
    return f"({sql} AND {written(column, group)})", [*params, *more]


def register(field: "Field[Any, Any]") -> None:
    """Have queries about a column of states find the indexes."""
    field.register_lookup(_Exact)
    field.register_lookup(_In)


def _group_of(asked: Collection[Any]) -> Sequence[str] | None:
    return next((states for states in GROUPS if all(each in states for each in asked)), None)
