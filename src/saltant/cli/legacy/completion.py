"""`saltant-cli completion install`."""

import os
from pathlib import Path

import click
from click.shell_completion import get_completion_class

PROGRAM, VARIABLE = "saltant-cli", "_SALTANT_CLI_COMPLETE"
BEGIN, END = "# saltant-cli completion: begin", "# saltant-cli completion: end"
SHELLS = ("bash", "zsh", "fish", "powershell")


@click.group()
def completion() -> None:
    """Have your shell complete commands and options, ids and names."""


@completion.command(epilog="Example: saltant-cli completion install bash")
@click.argument("shell", type=click.Choice(SHELLS), required=False)
def install(shell: str | None) -> None:
    """Write the script for a shell; yours by default. Once more does no harm."""
    name = shell or Path(os.environ.get("SHELL", "")).name
    kind = get_completion_class(name)
    if name not in SHELLS:
        raise click.UsageError(f"Name your shell: {', '.join(SHELLS)}.")
    if kind is None:  # click knows PowerShell since 8.5
        raise click.ClickException(f"This click is too old for {name}: pip install --upgrade click")
    from saltant.cli.legacy.root import cli

    source = kind(cli, {}, PROGRAM, VARIABLE).source()
    path = _place(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, source, whole=name == "fish")
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise click.ClickException(f"{path} is not text in UTF-8.") from None
    click.echo(f"{path} has it now. Open a new shell.", err=True)


def _place(shell: str) -> Path:
    home = Path.home()
    named = os.environ.get("XDG_CONFIG_HOME", "")
    config = Path(named) if named.startswith("/") else home / ".config"
    return {
        "bash": home / ".bashrc",
        "zsh": Path(os.environ.get("ZDOTDIR") or home) / ".zshrc",
        "fish": config / "fish" / "completions" / f"{PROGRAM}.fish",
        "powershell": config / "powershell" / "profile.ps1",
    }[shell]


def _write(path: Path, source: str, *, whole: bool) -> None:
    """Write the script between two marks at the end of a start-up file, in the place of an earlier one."""
    if whole:
        path.write_text(source, encoding="utf-8")
        return
    if path.name == ".zshrc":
        source = "autoload -Uz compinit && (( $+functions[compdef] )) || compinit\n" + source
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    if BEGIN in text and END in text:
        before, _, rest = text.partition(BEGIN)
        text = before + rest.partition(END)[2].removeprefix("\n")
    gap = "" if not text or text.endswith("\n") else "\n"
    path.write_text(f"{text}{gap}{BEGIN}\n{source.strip()}\n{END}\n", encoding="utf-8")
