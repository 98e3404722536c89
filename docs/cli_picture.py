"""Makes docs/cli.svg anew, of a real run: python docs/cli_picture.py

It starts a `saltant up` on a folder of its own, types the commands below on a terminal, and draws what that shows.
"""

import io
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

import saltant

SALTANT = str(Path(sys.executable).with_name("saltant"))
COLUMNS, ROWS = 100, 30
ANAGRAMS = Path(__file__).parents[1] / "examples/anagrams/anagrams.py"
COMMANDS = (
    "saltant exec -- uname -sm",
    "saltant run anagrams word=binary --follow",
    "saltant map anagrams --file words.jsonl --follow",
    "saltant run anagrams --follow",
    "saltant ps --limit 5",
    "saltant results -o out {last}",
)


def on_a_terminal(command: str, folder: Path, environ: dict[str, str]) -> str:
    """What a command shows on a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [SALTANT, *shlex.split(command)[1:]], cwd=folder, env=environ, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    pieces = []
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        pieces.append(piece)
    os.close(ours)
    process.wait()
    return b"".join(pieces).decode().replace("\r\n", "\n")


def last_frame(text: str) -> str:
    """What is left on the screen: bars that were drawn are wiped out when they are done."""
    lines = [""]
    for part in re.split(r"(\n|\r|\x1b\[1A|\x1b\[2K)", text):
        if part == "\n":
            lines.append("")
        elif part == "\x1b[1A":
            lines.pop()
        elif part in ("\r", "\x1b[2K"):
            lines[-1] = ""
        else:
            lines[-1] += part
    return "\n".join(lines)


def main() -> None:
    """Make the picture."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        up = subprocess.Popen(
            [SALTANT, "up", "--data-dir", str(folder / "data"), "--port", "0"], stdout=subprocess.PIPE, text=True
        )
        try:
            assert up.stdout is not None  # noqa: S101 - for the type checker
            url = next(word for word in up.stdout.readline().split() if word.startswith("http"))
            token = (folder / "data/admin-token").read_text().strip()
            environ = os.environ | {"SALTANT_API_URL": url, "SALTANT_AUTH_TOKEN": token, "TERM": "xterm-256color"}
            environ |= {"COLUMNS": str(COLUMNS), "LINES": str(ROWS), "LC_ALL": "C.UTF-8"}
            client = saltant.Client(url, token)
            made = client.executable_task_types.create("anagrams", str(ANAGRAMS), required_arguments=["word"])
            client.task_whitelists.get(name="default").add(executable_task_types=[made.id])
            words = ("listen", "stream", "saltant")
            (folder / "words.jsonl").write_text("".join(f'{{"word": "{word}"}}\n' for word in words))
            console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
            for command in COMMANDS:
                last = client.executable_task_instances.list({"page_size": 1})
                command = command.format(last=last[0].uuid[:6] if last else "")
                shown = last_frame(on_a_terminal(command, folder, environ))
                console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
                console.print(Text.from_ansi(shown.rstrip("\n")))
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait()
    svg = console.export_svg(title="saltant", unique_id="saltant-cli")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # a picture fetches nothing
    Path(__file__).with_name("cli.svg").write_text("".join(f"{line.rstrip()}\n" for line in svg.splitlines()))


if __name__ == "__main__":
    main()
