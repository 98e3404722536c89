"""Saving new instances: every job begins so, and through the ORM it takes three times as long."""

import json
from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from saltant.server.tasks.fields import JSONTextField
from saltant.server.tasks.models import TaskInstance

AT_ONCE = 200
"""Rows in one statement: each has some dozens of parameters, and SQLite takes 32,766."""

_FIELDS = [field for field in TaskInstance._meta.concrete_fields if not field.primary_key]
_values_of = attrgetter(*(field.attname for field in _FIELDS))
# The others' values are to a database what they are to Python.
_ADAPTED = [
    (index, field)
    for index, field in enumerate(_FIELDS)
    if isinstance(field, models.DateTimeField | models.UUIDField | JSONTextField)
]
_COLUMNS = ", ".join(str(field.column) for field in _FIELDS)
_INSERT = f"INSERT INTO {TaskInstance._meta.db_table} ({_COLUMNS})"
_ROW = f"({', '.join(['%s'] * len(_FIELDS))})"


def insert(instances: Sequence[TaskInstance]) -> None:
    """Save instances that were never saved. Raises what the database does."""
    connection = connections[DEFAULT_DB_ALIAS]
    for start in range(0, len(instances), AT_ONCE):
        some = instances[start : start + AT_ONCE]
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql" and len(some) > 1:
                # With a placeholder for each value, the driver takes longer than the database.
                cursor.execute(_from_json(), [json.dumps([_as_json(each) for each in some])])
            else:
                values = [value for instance in some for value in _values(instance, connection)]
                cursor.execute(f"{_INSERT} VALUES {', '.join([_ROW] * len(some))} RETURNING id", values)
            rows = cursor.fetchall()
        for instance, [pk] in zip(some, rows, strict=True):
            instance.pk = pk
            instance._state.adding = False
            instance._state.db = connection.alias


@lru_cache(maxsize=1)
def _from_json() -> str:
    """Saves the rows of a list in JSON, in its order."""
    types = ", ".join(f"{field.column} {field.db_type(connection)}" for field in _FIELDS)
    return f"{_INSERT} SELECT {_COLUMNS} FROM json_to_recordset(%s) AS row ({types}) RETURNING id"  # noqa: S608 - names of ours


def _as_json(instance: TaskInstance) -> dict[str, Any]:
    values = {str(field.column): getattr(instance, field.attname) for field in _FIELDS}
    for _, field in _ADAPTED:
        value = values[str(field.column)]
        if value is not None:
            is_json = isinstance(field, JSONTextField)
            values[str(field.column)] = field.get_prep_value(value) if is_json else str(value)
    return values


def _values(instance: TaskInstance, connection: BaseDatabaseWrapper) -> list[Any]:
    values = list(_values_of(instance))
    for index, field in _ADAPTED:
        if values[index] is not None:
            values[index] = field.get_db_prep_save(values[index], connection=connection)
    return values
