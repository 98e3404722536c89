"""The `saltant` command, and `saltant-cli`, as it was called once."""

import sys
from io import TextIOWrapper


def main() -> None:
    """Run the command line, or say what it needs."""
    _run("saltant")


def former() -> None:
    """Run the command line as `saltant-cli`."""
    _run("saltant-cli")


def _run(name: str) -> None:
    for stream in (sys.stdout, sys.stderr):
        # A character that the terminal's encoding lacks is no reason to fail.
        if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")
    try:
        if name == "saltant":
            from saltant.cli.root import cli
        else:
            from saltant.cli.legacy.root import cli
        cli(prog_name=name)
    except KeyboardInterrupt:  # before a command could see to it
        sys.exit(130)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "saltant"):
            raise
        sys.exit(f"This needs {package}, which is not installed: pip install 'saltant-py[all]'")
