"""`saltant token`: keys that let programs in."""

from datetime import timedelta

import click

from saltant.cli.database import on_database, who
from saltant.cli.rows import echo_rows, json_option


@click.group()
def token() -> None:
    """Keys that let programs in.

    These commands work on the database itself: set SALTANT_DATABASE_URL as for `saltant server`, or run them as who
    started `saltant up`.
    """


@token.command(epilog="Example: saltant token create ada --name laptop --expires 90")
@click.argument("username")
@click.option("--name", default="", help="What it is for.")
@click.option("--role", type=click.Choice(["user", "worker"]), default="user", show_default=True, help="What it opens.")
@click.option("--queue", "queues", multiple=True, metavar="NAME", help="A queue that a worker's token is bound to.")
@click.option(
    "--expires", type=click.FloatRange(min=0, min_open=True), metavar="DAYS", help="When it ends; never by default."
)
@on_database
def create(username: str, name: str, role: str, queues: tuple[str, ...], expires: float | None) -> None:
    """Make a token and print its key, which is shown this once."""
    from django.utils import timezone

    from saltant.server.accounts import people
    from saltant.server.accounts.models import Role
    from saltant.server.accounts.tokens import create_token
    from saltant.server.tasks.models import TaskQueue

    if bool(queues) != (role == "worker"):
        raise click.UsageError(
            "A worker's token, and no other, names the queues it is bound to: --role worker --queue NAME."
        )
    known = {queue.name: queue for queue in TaskQueue.objects.filter(name__in=queues)}
    missing = [queue for queue in queues if queue not in known]
    if missing:
        raise click.ClickException(f"There is no queue named {missing[0]!r}.")
    try:
        ends = None if expires is None else timezone.now() + timedelta(days=expires)
    except (ValueError, OverflowError):
        raise click.BadParameter("no date is that many days ahead.", param_hint="--expires") from None
    try:
        _, key = create_token(people.find(username), Role(role), known.values(), ends, name, by=who())
    except people.Unfit as error:
        raise click.ClickException(str(error)) from None
    click.echo(key)


@token.command(name="list", epilog="Example: saltant token list ada")
@click.argument("username", required=False)
@json_option
@on_database
def list_tokens(username: str | None, as_json: bool) -> None:
    """Print tokens: id, user, role, state, when it ends, what it is for. Keys are not kept."""
    from django.utils import timezone

    from saltant.server.accounts.models import Token

    now = timezone.now()
    found = Token.objects.select_related("user").order_by("id")
    rows = [
        {
            "id": each.pk,
            "user": each.user.username,
            "role": each.role,
            "state": "valid" if each.is_valid(now) else "revoked" if each.datetime_revoked else "expired",
            "expires": each.datetime_expires.isoformat(timespec="seconds") if each.datetime_expires else "never",
            "name": each.name,
        }
        for each in (found.filter(user__username=username) if username else found)
    ]
    echo_rows(rows, as_json)


@token.command(epilog="Example: saltant token revoke 7")
@click.argument("token_id", type=int, metavar="ID")
@on_database
def revoke(token_id: int) -> None:
    """Let a token open nothing any more, at once."""
    from saltant.server.accounts import tokens
    from saltant.server.accounts.models import Token

    found = Token.objects.filter(pk=token_id).first()
    if found is None:
        raise click.ClickException(f"There is no token {token_id}. `saltant token list` shows them.")
    tokens.revoke(found, by=who())
    click.echo(f"Revoked token {token_id} of {found.user.username}.", err=True)
