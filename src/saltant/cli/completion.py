"""`saltant completion`: what a shell needs to complete commands, ids, names and states."""

from __future__ import annotations

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")
PROGRAM, VARIABLE = "saltant", "_SALTANT_COMPLETE"
BEGIN, END = "# saltant completion: begin", "# saltant completion: end"


@click.group()
def completion() -> None:
    """Have your shell complete commands, options, ids, names and states.

    Ids and names come from the server that the line means; where it does not answer within two seconds, none do.
    """


@completion.command(epilog='Example: eval "$(saltant completion show bash)"')
@click.argument("shell", type=click.Choice(SHELLS), required=False)
def show(shell: str | None) -> None:
    """Print the script for a shell; yours by default."""
    click.echo(script(shell or own_shell()), nl=False)


@completion.command(epilog="Example: saltant completion install zsh")
@click.argument("shell", type=click.Choice(SHELLS), required=False)
def install(shell: str | None) -> None:
    """Write the script where a shell finds it; yours by default. Once more does no harm."""
    shell = shell or own_shell()
    try:
        path, start = place(shell)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script(shell), encoding="utf-8")
        click.echo(f"Wrote {path}.", err=True)
        if start is not None and add_block(start, path):
            click.echo(f"It is read by {start} from now on.", err=True)
    except OSError as error:
        raise click.ClickException(f"{error.filename} cannot be written: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise click.ClickException(f"{start} is not text in UTF-8: source {path} there by hand.") from None
    click.echo("Open a new shell to have it.", err=True)


def script(shell: str) -> str:
    """The script of a shell."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    from saltant.cli.root import cli

    return kind(cli, {}, PROGRAM, VARIABLE).source()


def own_shell() -> str:
    """The shell that the user signs in with.

    Raises:
        UsageError: there is no completion for it.
    """
    name = Path(os.environ.get("SHELL", "")).name
    if name not in SHELLS:
        raise click.UsageError(f"Name your shell: {', '.join(SHELLS)}.")
    return name


def place(shell: str) -> tuple[Path, Path | None]:
    """Where its script goes, and which start-up file has to read it, if one has to."""
    home = Path.home()
    data = _xdg("XDG_DATA_HOME", home / ".local" / "share")
    if shell == "fish":
        return _xdg("XDG_CONFIG_HOME", home / ".config") / "fish" / "completions" / f"{PROGRAM}.fish", None
    if shell == "zsh":
        return data / "saltant" / "completion.zsh", Path(os.environ.get("ZDOTDIR") or home) / ".zshrc"
    # Machines without the package bash-completion do not look there: hence the block in .bashrc.
    return data / "saltant" / "completion.bash", home / ".bashrc"


def add_block(start: Path, path: Path) -> bool:
    """Have a start-up file read the script; returns whether it had to be told."""
    text = start.read_text(encoding="utf-8") if start.exists() else ""
    if BEGIN in text:
        return False
    needed = "autoload -Uz compinit && (( $+functions[compdef] )) || compinit\n" if start.name == ".zshrc" else ""
    gap = "" if not text or text.endswith("\n") else "\n"
    with start.open("a", encoding="utf-8") as file:
        file.write(f'{gap}{BEGIN}\n{needed}[ -r "{path}" ] && . "{path}"\n{END}\n')
    return True


def _xdg(name: str, otherwise: Path) -> Path:
    value = os.environ.get(name, "")
    return Path(value) if value.startswith("/") else otherwise
