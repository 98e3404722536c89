"""Lookups of states for which the databases find their indexes.

Partial indexes hold the instances of a few states, however many there are of the others. SQLite takes one only where a
query says what the index says, word for word; PostgreSQL keeps one plan of a prepared statement for all its parameters.
So a query that asks for some of those states says, written out, that it asks for no others. Without it, whoever looks
for what waits reads every instance that ever was.
"""

from collections.abc import Collection, Sequence
from typing import Any

from django.db.models import Field, lookups

from saltant.states import UNFINISHED, State

UNFINISHED_STATES = tuple(state.value for state in UNFINISHED)
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
    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        return _narrowed(self, [self.rhs], super().as_sql(compiler, connection), compiler, connection)


class _In(lookups.In):
    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, Any]:
        asked = self.rhs if isinstance(self.rhs, Collection) else [self.rhs]  # which is a query
        return _narrowed(self, asked, super().as_sql(compiler, connection), compiler, connection)


def _narrowed(lookup: Any, asked: Collection[Any], made: Any, compiler: Any, connection: Any) -> tuple[str, Any]:
    """What a lookup made, with its group of states written out."""
    sql, params = made
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
