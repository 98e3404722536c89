"""Debian's Chromium for the tests of pages: where it is, and how it is launched."""

from tests.services.base import program

ARGUMENTS = ("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync")
"""It may run as root, and asks nobody but the server under test."""


class Chromium:
    """The program. `fixtures.obtain(Chromium)` skips where there is none, and has it named at the end.

    Raises:
        Missing: it is not installed.
    """

    name = "chromium"

    def __init__(self) -> None:
        self.program = program("chromium")
        self.arguments = list(ARGUMENTS)
