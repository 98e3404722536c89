"""`saltant audit`: who changed, ended or revoked what."""

import json

import click

from saltant.cli.database import on_database
from saltant.cli.rows import echo_row

MOST = 1_000_000
"""Entries that one command prints."""


@click.command(epilog="Example: saltant audit --limit 20")
@click.option(
    "--limit",
    type=click.IntRange(1, MOST),
    default=100,
    show_default=True,
    metavar="N",
    help=f"The newest N entries, {MOST} at most.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@on_database
def audit(limit: int, as_json: bool) -> None:
    """Print the audit log, oldest first: when, who, what was done, to what, and the details.

    It works on the database itself: set SALTANT_DATABASE_URL as for `saltant server`, or run it as who started
    `saltant up`.
    """
    from saltant.server.audit.models import AuditEntry

    for entry in reversed(AuditEntry.objects.order_by("-id")[:limit]):
        fields = {
            "datetime": entry.datetime.isoformat(timespec="milliseconds"),
            "actor": entry.actor,
            "action": entry.action,
            "object_kind": entry.object_kind,
            "object_id": entry.object_id,
            "object_name": entry.object_name,
        }
        if as_json:
            click.echo(json.dumps(fields | {"details": entry.details}))
        else:
            details = [json.dumps(entry.details, ensure_ascii=False)] if entry.details else []
            echo_row(*fields.values(), *details)
