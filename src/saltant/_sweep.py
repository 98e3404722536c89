"""Many task instances that differ in their arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

from saltant.models._limits import OPTIONS


def sweep(
    arguments: Mapping[str, Iterable[Any]] | Iterable[Mapping[str, Any]],
    *,
    task_type_id: int,
    task_queue_id: int,
    fixed: Mapping[str, Any] | None = None,
    name: str = "",
    **options: Any,
) -> list[dict[str, Any]]:
    """What `create_many` takes, for a grid or a table of arguments.

    Args:
        arguments: A grid, lists of values by the names of arguments: every combination of them, the last name changing
            fastest. Or a table: an iterable of rows, each the arguments of one task instance, such as those of
            `csv.DictReader`.
        task_type_id: The ID of their task type.
        task_queue_id: The ID of their task queue.
        fixed: Arguments that all of them have.
        name: Their name; it may hold arguments in braces, as `str.format` puts them in.
        options: Their limits: see `saltant.models.Limits`; or their `labels`, `after`, `after_any` or `revision`.

    Raises:
        TypeError: A grid's values are no list, a table's row is none, or a keyword is unknown.
        ValueError: The name cannot be filled in: an argument in it is not there, for example.

    >>> import saltant
    >>> grid = {"seed": [1, 2], "model": ["a", "b"]}
    >>> jobs = saltant.sweep(grid, task_type_id=1, task_queue_id=1, name="{model}-{seed}")
    >>> [(job["name"], job["arguments"]) for job in jobs][:2]
    [('a-1', {'seed': 1, 'model': 'a'}), ('b-1', {'seed': 1, 'model': 'b'})]
    >>> jobs = saltant.sweep([{"file": "x"}, {"file": "y"}], task_type_id=1, task_queue_id=1, fixed={"depth": 3})
    >>> [job["arguments"] for job in jobs]
    [{'depth': 3, 'file': 'x'}, {'depth': 3, 'file': 'y'}]
    >>> client.executable_task_instances.create_many(jobs)  # doctest: +SKIP
    """
    for option in options:
        if option not in OPTIONS:
            raise TypeError(f"{option!r} is no argument: beside those of its own, sweep takes {', '.join(OPTIONS)}")
    rows = _grid(arguments) if isinstance(arguments, Mapping) else arguments
    jobs = []
    for row in rows:
        if not isinstance(row, Mapping):
            raise TypeError(f"A row of a table is a mapping of arguments, not {row!r}")
        given = {**(fixed or {}), **row}
        job = {"task_type_id": task_type_id, "task_queue_id": task_queue_id, "arguments": given, **options}
        jobs.append({**job, "name": _named(name, given)})
    return jobs


def _grid(values: Mapping[str, Iterable[Any]]) -> Iterable[dict[str, Any]]:
    for name, some in values.items():
        if isinstance(some, (str, bytes, Mapping)) or not isinstance(some, Iterable):
            raise TypeError(f"A grid has a list of values for each argument: {name!r} has {some!r}")
    return (dict(zip(values, combination, strict=True)) for combination in product(*values.values()))


def _named(name: str, given: Mapping[str, Any]) -> str:
    try:
        return name.format_map(given)
    except KeyError as error:
        raise ValueError(f"The name {name!r} is filled in with arguments, and none is {error}") from None
    except (ValueError, AttributeError, TypeError, IndexError) as error:
        raise ValueError(f"The name {name!r} is filled in with arguments, which does not work: {error}") from None
