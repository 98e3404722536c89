"""`saltant ps --watch`: a live table on a terminal, and elsewhere a line for each change."""

from __future__ import annotations

import json
from itertools import islice
from queue import Empty, Queue
from threading import Thread
from typing import TYPE_CHECKING, Any

import click

from saltant.cli.output import jsonable
from saltant.cli.verbs.instances import COLUMNS, Names, Row, rows

if TYPE_CHECKING:
    from saltant.cli.common import Context
    from saltant.cli.verbs.query import Query
    from saltant.models.base_task_instance import BaseTaskInstance

PACE = 1.0
"""Seconds after which times are drawn anew, though nothing has changed."""
AROUND = 3
"""Lines of a terminal that are left free."""


def watch(context: Context, query: Query, limit: int) -> None:
    """Show instances and what becomes of them, until Ctrl-C."""
    came: Queue[Any] = Queue()
    for manager in query.managers:
        # Before they are listed, so that nothing falls between.
        changes = manager.watch(query.filters)
        Thread(target=_read, args=[changes, came], daemon=True).start()
    if context.output.is_drawn:
        _draw(context, query, limit, came)
    else:
        _print(context, query, came)


def _read(changes: Any, came: Queue[Any]) -> None:
    try:
        for instance in changes:
            came.put(instance)
    except BaseException as error:
        came.put(error)


def _take(came: Queue[Any], timeout: float | None) -> BaseTaskInstance | None:
    """The next change; None if there is none in time."""
    try:
        found = came.get(timeout=timeout)
    except Empty:
        return None
    if isinstance(found, BaseException):
        raise found
    instance: BaseTaskInstance = found
    return instance


def _print(context: Context, query: Query, came: Queue[Any]) -> None:
    output, names = context.output, Names(context.client)
    told: dict[str, tuple[str, int | None]] = {}
    while True:
        instance = _take(came, None)
        if instance is None or not query.wants(instance):
            continue
        before, told[instance.uuid] = told.get(instance.uuid), (instance.state, instance.attempt)
        if not output.json and before == told[instance.uuid]:
            continue  # only its progress is news, which lines do not show
        if instance.is_finished:
            del told[instance.uuid]
        if output.json:
            click.echo(json.dumps(jsonable(Row(instance, names).fields)))
        else:
            output.table(COLUMNS, rows([instance], names, drawn=False), ids="uuid")


def _draw(context: Context, query: Query, limit: int, came: Queue[Any]) -> None:
    from rich.live import Live

    output, names = context.output, Names(context.client)
    most = limit or 500
    shown = {each.uuid: each for each in islice(query.newest(most), most)}

    def drawn() -> Any:
        newest = sorted(shown.values(), key=lambda each: each.datetime_created, reverse=True)
        room = max(min(most, output.console.height - AROUND), 1)
        return output.drawn(COLUMNS, rows(newest[:room], names, drawn=True))

    try:
        # Not redirected: what stands for stdout then knows no encoding.
        with Live(
            drawn(), console=output.console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        ) as live:
            while True:
                changed = _take(came, PACE)
                while changed is not None:
                    shown.pop(changed.uuid, None)
                    if query.wants(changed):
                        shown[changed.uuid] = changed
                    changed = None if came.empty() else _take(came, 0)
                live.update(drawn(), refresh=True)
    except KeyboardInterrupt:
        return  # that is how one leaves it
