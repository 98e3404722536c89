"""The everyday commands on a terminal: colour, live tables, progress, questions and Ctrl-C."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect  # type: ignore[import-untyped]
import pytest

from tests.acceptance.command_line import SALTANT, Shell
from tests.acceptance.system import START, Up, wait_until

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
GREEN_MARK = "\x1b[32m✓ successful"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A saltant of these tests' own."""
    with Up(tmp_path_factory.mktemp("terminal") / "data", "--concurrency", "4") as system:
        system.executable("sh -c 'echo begun; exec sleep 60'", name="sleep")
        yield system


@pytest.fixture
def shell(lab: Up, tmp_path: Path) -> Shell:
    """The admin's."""
    return Shell(lab, tmp_path)


def state_of(lab: Up, uuid: str) -> str:
    return lab.client.executable_task_instances.get(uuid).state


def test_tables_have_colour_and_fit(shell: Shell) -> None:
    uuid = shell.prints("exec", "-q", "--json", "--", "true").split('"uuid": "')[1][:36]
    wide = shell.shown("ps")
    assert GREEN_MARK in wide
    for header in ("UUID", "STATE", "TYPE", "QUEUE", "CREATED", "WHY"):
        assert header in wide
    assert uuid[:8] in wide
    assert uuid not in wide
    assert "s ago" in wide or "now" in wide
    without = shell.shown("ps", NO_COLOR="1")
    assert "✓ successful" in without
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", without)
    narrow = COLOUR.sub("", shell.shown("ps", columns=36))
    assert "successful" in narrow
    assert max(map(len, narrow.splitlines())) <= 36
    assert "+ successful" in COLOUR.sub("", shell.shown("ps", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"))
    assert re.search(r"created +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(", COLOUR.sub("", shell.shown("show", uuid)))


def test_watch_redraws_in_place_until_ctrl_c(shell: Shell, lab: Up) -> None:
    uuid = shell.prints("run", "sleep", "-q").strip()
    terminal = shell.terminal("ps", "--watch", "--type", "sleep")
    terminal.expect(uuid[:8] + r".*● running")
    lab.client.executable_task_instances.terminate(uuid)
    # It goes up over what it drew, and draws that anew.
    terminal.expect(r"\x1b\[\d+A|\x1b\[1A")
    terminal.expect("■ terminated")
    terminal.sendintr()
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0
    assert "Traceback" not in terminal.before


def followed(shell: Shell) -> tuple[Any, str]:
    """A terminal on which an instance is followed that runs, and its UUID."""
    terminal = shell.terminal("run", "sleep", "--follow")
    terminal.expect(r"Task instance (\S+)")
    uuid = terminal.match[1]
    terminal.expect("begun")
    terminal.sendintr()
    terminal.expect(r"Leave it running, or kill it\?")
    return terminal, uuid


def test_ctrl_c_asks_and_kills(shell: Shell, lab: Up) -> None:
    terminal, uuid = followed(shell)
    terminal.sendline("kill")
    terminal.expect("Terminated")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert (terminal.exitstatus, state_of(lab, uuid)) == (130, "terminated")


def test_ctrl_c_twice_leaves_it_running(shell: Shell, lab: Up) -> None:
    terminal, uuid = followed(shell)
    terminal.sendintr()
    terminal.expect(f"It goes on. To follow it: saltant logs -f {uuid}")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert (terminal.exitstatus, state_of(lab, uuid)) == (130, "running")
    shell.prints("kill", uuid)


def test_a_sweep_draws_a_bar(shell: Shell, lab: Up) -> None:
    (shell.folder / "args.jsonl").write_text("{}\n" * 6)
    terminal = shell.terminal("map", "sleep", "--file", "args.jsonl", "--follow")
    terminal.expect("Submitting .*0/6")
    terminal.expect("6 submitted")
    terminal.expect("Waiting .*0/6")
    uuids = shell.prints("ps", "-q", "--type", "sleep", "--state", "unfinished").split()
    lab.client.executable_task_instances.terminate(uuids[0])
    terminal.expect("1 terminated .*1/6")
    # One question for many, and nothing happens without a yes.
    asked = shell.terminal("kill", *uuids[1:])
    asked.expect(r"End 5 task instances\? \[y/N\]")
    asked.sendline("n")
    asked.expect(pexpect.EOF)
    asked.close()
    assert asked.exitstatus == 130
    assert {state_of(lab, uuid) for uuid in uuids[1:]} <= {"running", "published"}
    asked = shell.terminal("kill", *uuids[1:])
    asked.expect("End 5")
    asked.sendline("y")
    asked.expect(pexpect.EOF)
    terminal.expect("Of 6: 6 terminated")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 1


def test_results_that_go_into_a_file_are_not_drawn_with_the_bar(shell: Shell, lab: Up) -> None:
    uuids = [shell.prints("run", "sleep", "-q").strip() for _ in range(2)]
    script = f"{SALTANT} wait {' '.join(uuids)} > ended; echo code $?"
    terminal = pexpect.spawn("sh", ["-c", script], cwd=str(shell.folder), env=shell.environ, encoding="utf-8")
    terminal.expect("Waiting .*0/2", timeout=START)
    for uuid in uuids:
        lab.client.executable_task_instances.terminate(uuid)
    terminal.expect("code 1", timeout=START)
    assert not any(uuid in terminal.before for uuid in uuids)
    terminal.close()
    ended = (shell.folder / "ended").read_text().splitlines()
    assert {line.split("\t")[0] for line in ended} == set(uuids)


def test_a_closed_terminal_or_pipe_is_no_traceback(shell: Shell) -> None:
    process = shell.begin("logs", "-f", shell.prints("run", "sleep", "-q").strip())
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.stdout.close()
    process.send_signal(signal.SIGINT)
    wait_until(lambda: process.poll() is not None, "it ends")
    assert process.stderr is not None
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
    shell.prints("kill", "-y", *shell.prints("ps", "-q", "--state", "unfinished").split())
