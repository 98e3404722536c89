"""The `saltant` command."""

import sys


def main() -> None:
    """Run the command line, or say what it needs."""
    try:
        from saltant.cli.root import cli

        cli(prog_name="saltant")
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "saltant"):
            raise
        sys.exit(f"This needs {package}, which is not installed: pip install 'saltant-py[all]'")
