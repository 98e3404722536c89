"""Runs the installed `saltant`, in pipes and on terminals."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pexpect  # type: ignore[import-untyped]

from tests.acceptance.system import START, Site

SALTANT = str(Path(sys.executable).with_name("saltant"))
PARTS = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "TIME"),
    (re.compile(r"(?<=\t)\d+\.\d+(?=\t)"), "SECONDS"),
)


def golden(text: str) -> str:
    """What is printed, with words for what differs from one run to the next."""
    for pattern, word in PARTS:
        text = pattern.sub(word, text)
    return text


class Shell:
    """Somebody's shell, in a folder of theirs."""

    def __init__(self, site: Site, folder: Path, token: str | None = None) -> None:
        self.folder = folder
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("SALTANT_")}
        self.environ |= {
            "SALTANT_API_URL": site.url,
            "SALTANT_AUTH_TOKEN": token or site.token,
            "XDG_CONFIG_HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            "TERM": "xterm-256color",
            "TZ": "UTC",
        }
        for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
            self.environ.pop(name, None)

    def run(
        self, *arguments: str, stdin: str | bytes | None = None, **environ: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run it in pipes."""
        return subprocess.run(
            [SALTANT, *arguments],
            cwd=self.folder,
            env=self.environ | environ,
            input=stdin.decode() if isinstance(stdin, bytes) else stdin or "",
            capture_output=True,
            text=True,
            timeout=START,
        )

    def prints(self, *arguments: str, stdin: str | None = None) -> str:
        """What it prints when all is well."""
        run = self.run(*arguments, stdin=stdin)
        assert run.returncode == 0, (arguments, run)
        return run.stdout

    def begin(self, *arguments: str) -> "subprocess.Popen[str]":
        """Run it in pipes, and do something else meanwhile."""
        return subprocess.Popen(
            [SALTANT, *arguments],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def terminal(self, *arguments: str, columns: int = 120, **environ: str) -> Any:
        """Run it on a terminal of its own."""
        return pexpect.spawn(
            SALTANT,
            list(arguments),
            cwd=str(self.folder),
            env=self.environ | environ,
            encoding="utf-8",
            timeout=START,
            dimensions=(24, columns),
        )

    def shown(self, *arguments: str, columns: int = 120, **environ: str) -> str:
        """What it shows on a terminal until it ends."""
        terminal = self.terminal(*arguments, columns=columns, **environ)
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert terminal.exitstatus == 0, terminal.before
        text: str = terminal.before
        return text
