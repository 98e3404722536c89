"""Queries that are compiled once. For a query of one row, Django's building and compiling cost ten times the query."""

from collections.abc import Callable, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Field, QuerySet

Row = Sequence[Any]


class Prepared:
    """A `values_list()` query with values left open.

    Args:
        build: makes the queryset for the values. It must use each of them once, as it is.
        field: the model field that the first value is compared with.
        sample: a value for it that occurs nowhere else among the query's parameters.
        more: field and sample of each further value.
    """

    def __init__(
        self,
        build: Callable[..., QuerySet[Any, Row]],
        field: "Field[Any, Any]",
        sample: Any,
        *more: "tuple[Field[Any, Any], Any]",
    ) -> None:
        self.build = build
        self.open = [(field, sample), *more]
        self.compiled: dict[str, tuple[str, list[Any], list[int], Any, Any]] = {}

    def rows(self, *values: Any) -> list[Row]:
        """The rows for `values`."""
        own = connections[DEFAULT_DB_ALIAS]
        compiled = self.compiled.get(own.vendor)
        sql, params, positions, converters, compiler = compiled or self._compile()
        # A copy: threads share what is compiled.
        bound = params.copy()
        for position, (field, _), value in zip(positions, self.open, values, strict=True):
            bound[position] = field.get_db_prep_value(value, own, prepared=False)
        with own.cursor() as cursor:
            cursor.execute(sql, bound)
            rows: list[Row] = cursor.fetchall()
        return list(compiler.apply_converters(rows, converters)) if converters else rows

    def _compile(self) -> tuple[str, list[Any], list[int], Any, Any]:
        # By `connection`, which is each thread's own: all threads share what is compiled.
        compiler: Any = self.build(*(sample for _, sample in self.open)).query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        converters = compiler.get_converters([column[0] for column in compiler.select[: compiler.col_count]])
        samples = [field.get_db_prep_value(sample, connection, prepared=False) for field, sample in self.open]
        positions = [_only([param == sample for param in params]) for sample in samples]
        compiled = (sql, list(params), positions, converters, compiler)
        self.compiled[connection.vendor] = compiled
        return compiled


def _only(found: list[bool]) -> int:
    """The one position that is true."""
    [position] = [index for index, hit in enumerate(found) if hit]
    return position
