"""Queries that are compiled once. For a query of one row, Django's building and compiling cost ten times the query."""

from collections.abc import Callable, Sequence
from typing import Any

from django.db import connection
from django.db.models import Field, QuerySet

Row = Sequence[Any]


class Prepared:
    """A `values_list()` query with one value left open.

    Args:
        build: makes the queryset for a value. It must use the value once, as it is.
        field: the model field that the value is compared with.
        sample: a value that occurs nowhere else among the query's parameters.
    """

    def __init__(self, build: Callable[[Any], QuerySet[Any, Row]], field: "Field[Any, Any]", sample: Any) -> None:
        self.build = build
        self.field = field
        self.sample = sample
        self.compiled: dict[str, tuple[str, list[Any], int, Any, Any]] = {}

    def rows(self, value: Any) -> list[Row]:
        """The rows for `value`."""
        sql, params, position, converters, compiler = self.compiled.get(connection.vendor) or self._compile()
        # A copy: threads share what is compiled.
        bound = [*params[:position], self._prepare(value), *params[position + 1 :]]
        with connection.cursor() as cursor:
            cursor.execute(sql, bound)
            rows: list[Row] = cursor.fetchall()
        return list(compiler.apply_converters(rows, converters)) if converters else rows

    def _compile(self) -> tuple[str, list[Any], int, Any, Any]:
        compiler: Any = self.build(self.sample).query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        converters = compiler.get_converters([column[0] for column in compiler.select[: compiler.col_count]])
        [position] = [index for index, param in enumerate(params) if param == self._prepare(self.sample)]
        compiled = (sql, list(params), position, converters, compiler)
        self.compiled[connection.vendor] = compiled
        return compiled

    def _prepare(self, value: Any) -> Any:
        return self.field.get_db_prep_value(value, connection, prepared=False)
