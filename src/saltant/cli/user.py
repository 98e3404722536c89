"""`saltant user`: who may sign in."""

import sys
from typing import TextIO

import click

from saltant.cli.database import on_database, who
from saltant.cli.rows import echo_rows, json_option


@click.group()
def user() -> None:
    """Who may sign in.

    These commands work on the database itself: set SALTANT_DATABASE_URL as for `saltant server`, or run them as who
    started `saltant up`.
    """


@user.command(epilog="Example: saltant user create ada --email ada@example.org")
@click.argument("username")
@click.option("--email", default="", help="Their address.")
@click.option("--admin", is_flag=True, help="They may do everything.")
@click.option(
    "--password-file",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="Read the password from the first line of FILE (- : stdin).",
)
@click.option("--no-password", is_flag=True, help="They have tokens alone: no sign-in, no JWT.")
@on_database
def create(username: str, email: str, admin: bool, password_file: TextIO | None, no_password: bool) -> None:
    """Add a user. Asks for the password unless told where it is."""
    from saltant.server.accounts import people

    password = None if no_password else read_password(password_file)
    try:
        people.create_user(username, email=email, password=password, admin=admin, by=who())
    except people.Unfit as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Created {'the admin' if admin else 'the user'} {username}.", err=True)


@user.command(epilog="Example: saltant user password ada")
@click.argument("username")
@click.option(
    "--password-file",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="Read it from the first line of FILE (- : stdin).",
)
@on_database
def password(username: str, password_file: TextIO | None) -> None:
    """Set a user's password; their sessions end."""
    from saltant.server.accounts import people

    try:
        people.set_password(people.find(username), read_password(password_file), by=who())
    except people.Unfit as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Set the password of {username}.", err=True)


@user.command(name="list", epilog="Example: saltant user list")
@json_option
@on_database
def list_users(as_json: bool) -> None:
    """Print users: name, role, whether active, e-mail address."""
    from saltant.server.accounts.models import User

    rows = [
        {
            "username": each.username,
            "role": "admin" if each.is_admin else "user",
            "state": "active" if each.is_active else "inactive",
            "email": each.email,
        }
        for each in User.objects.order_by("username")
    ]
    echo_rows(rows, as_json)


@user.command(epilog="Example: saltant user deactivate ada")
@click.argument("username")
@on_database
def deactivate(username: str) -> None:
    """Let nothing of a user's in any more. What they own stays."""
    from saltant.server.accounts import people

    try:
        people.deactivate(people.find(username), by=who())
    except people.Unfit as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Deactivated {username}: password, tokens and sessions open nothing now.", err=True)


@user.command(epilog="Example: saltant user activate ada")
@click.argument("username")
@on_database
def activate(username: str) -> None:
    """Let a deactivated user in again, with the password and the tokens that they had."""
    from saltant.server.accounts import people

    try:
        people.activate(people.find(username), by=who())
    except people.Unfit as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Activated {username}.", err=True)


@user.command(epilog="Example: saltant user limit ada 20")
@click.argument("username")
@click.argument("number", metavar="N|none")
@on_database
def limit(username: str, number: str) -> None:
    """Let N of a user's instances run at once; `none` takes the limit away."""
    from saltant.server.accounts import people

    if number != "none" and not (number.isascii() and number.isdigit() and len(number) < 20):
        raise click.UsageError(f"Give a whole number, 1 or more, or `none`, not {number!r}.")
    wanted = None if number == "none" else int(number)
    try:
        people.set_max_running(people.find(username), wanted, by=who())
    except people.Unfit as error:
        raise click.ClickException(str(error)) from None
    many = "as many as there is room for" if wanted is None else f"{wanted} at most"
    click.echo(f"Of {username}'s instances {many} run at once.", err=True)


def read_password(file: TextIO | None) -> str:
    """The password in a file, or what somebody types."""
    if file is not None:
        try:
            return file.readline().rstrip("\r\n")
        except UnicodeDecodeError:
            raise click.ClickException("The password file is not text in UTF-8.") from None
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to type a password: use --password-file FILE, or --no-password.")
    typed: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return typed
