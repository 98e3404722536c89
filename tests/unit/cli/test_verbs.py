"""The parts of the everyday commands that need no server."""

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saltant.cli.failures import Failure
from saltant.cli.root import COMMANDS, EVERYDAY, cli
from saltant.cli.verbs.arguments import read_arguments
from saltant.cli.verbs.command import LONGEST, quoted, wanted_for
from saltant.cli.verbs.instances import exit_code
from saltant.cli.verbs.ps import no_instances
from saltant.cli.verbs.sweep import Line, Sweep, read_lines
from saltant.worker.runners.executable import expand_command

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
NASTY = st.text(st.sampled_from("$${}aA_0 '\"\\\t\n|*#!~é"), max_size=12)


@given(st.lists(WORDS | NASTY, min_size=1, max_size=6))
def test_a_command_becomes_its_words_again(argv: list[str]) -> None:
    environment = {"a": "WRONG", "A": "WRONG", "aA": "WRONG", "PATH": "WRONG"}
    assert expand_command(quoted(argv), environment) == argv


def test_a_long_command_is_run_by_a_program_that_runs_no_other() -> None:
    argv = ["printf", "%s|", *["$HOME 'x'"] * 100]
    wanted = wanted_for(argv, "ada", None)
    assert wanted.name.startswith("ada-printf-")
    assert len(wanted.command_to_run) <= LONGEST
    command = expand_command(wanted.command_to_run, {})
    run = subprocess.run([*command, json.dumps(wanted.arguments)], capture_output=True, text=True)
    assert run.stdout == "$HOME 'x'|" * 100
    other = subprocess.run([*command, json.dumps({"command": ["echo", "x"]})], capture_output=True, text=True)
    assert (other.returncode, other.stdout, other.stderr) == (1, "", "another command\n")


def test_the_type_of_a_command_is_another_for_another_command() -> None:
    names = {wanted_for(argv, "ada", image).name for argv in (["a", "b"], ["a b"], ["a"]) for image in (None, "i:1")}
    assert len(names) == 6
    for bad in ([""], ["a\0"], ["a", "\udcff"]):
        with pytest.raises(Failure):
            wanted_for(bad, "ada", None)


def test_arguments_of_the_command_line() -> None:
    pairs = ["seed=1", "name=ada", 'text="7"', "list:=[1, null]", "a=b=c", "empty="]
    expected = {"seed": 1, "name": "ada", "text": "7", "list": [1, None], "a": "b=c", "empty": ""}
    assert read_arguments(pairs, '{"seed": 0, "rate": 0.5}') == {"seed": 1, "rate": 0.5, **expected}
    for bad, text in (([], "[]"), ([], "{"), ([], "@nowhere"), (["x"], None), (["=1"], None), (["x:=y"], None)):
        with pytest.raises(click.UsageError):
            read_arguments(bad, text)
    assert read_arguments(["x=NaN"], None) == {"x": "NaN"}
    with pytest.raises(click.UsageError):
        read_arguments([], "[" * 100_000)


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ({"state": "successful", "reason": "reported"}, 0),
        ({"state": "failed", "reason": "exited", "exit_code": 3}, 3),
        ({"state": "failed", "reason": "killed", "signal": 15}, 143),
        ({"state": "failed", "reason": "timed_out", "signal": 9}, 124),
        ({"state": "failed", "reason": "out_of_memory", "signal": 9}, 137),
        ({"state": "failed", "reason": "command_not_found"}, 127),
        ({"state": "failed", "reason": "not_executable"}, 126),
        ({"state": "failed", "reason": "lost"}, 125),
        ({"state": "failed", "reason": "of a newer server"}, 125),
        ({"state": "terminated", "reason": "cancelled", "signal": 15}, 125),
    ],
)
def test_exit_codes(end: dict[str, Any], code: int) -> None:
    instance: Any = SimpleNamespace(**{"exit_code": None, "signal": None, **end})
    assert exit_code(instance) == code


def test_bad_lines_are_named_by_number() -> None:
    lines = read_lines(['{"a": 1}', "", ' {"a": 1}\r', "{}"], lambda arguments: None)
    assert [line.number for line in lines] == [1, 3, 4]
    assert len({line.mark for line in lines}) == 3
    with pytest.raises(Failure, match=r"Nothing was submitted\. line 2: .*; line 3: wrong"):
        read_lines(["{}", "{", "1"], lambda arguments: "wrong" if arguments == 1 else None)
    with pytest.raises(Failure, match="no line"):
        read_lines(["", " "], lambda arguments: None)


def test_the_state_of_a_sweep_outlives_a_torn_line(tmp_path: Path) -> None:
    path, line = tmp_path / "state", Line(1, {}, "mark")
    with Sweep(path, {"type": "a"}) as sweep:
        sweep.note(line, "uuid")
        key = sweep.key_of(line)
        with pytest.raises(Failure, match="Another"), Sweep(path, {"type": "a"}):
            pass
    with path.open("a") as file:
        file.write('{"line": 7, "mark": "first"}\n{"mark": "to')
    with Sweep(path, {"type": "a"}) as again:
        assert (again.submitted, again.key_of(line)) == ({"mark": "uuid"}, key)
        assert again.begin(Line(9, {}, "first")) == 7
        again.note(Line(2, {}, "other"), "second")
    with Sweep(path, {"type": "a"}) as third:
        assert third.submitted == {"mark": "uuid", "other": "second"}
    with pytest.raises(Failure, match="another type"), Sweep(path, {"type": "b"}):
        pass
    with Sweep(path, {"type": "b"}, anew=True) as fresh:
        assert fresh.submitted == {}
        assert fresh.key_of(line) != key
    path.write_text("[1]\n")
    with pytest.raises(Failure, match="no state"), Sweep(path, {"type": "b"}):
        pass


@pytest.mark.parametrize("name", [name for name, (section, *_) in COMMANDS.items() if section == EVERYDAY])
def test_each_helps_with_an_example(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert "Example: saltant " in (command.epilog or "")
    assert f"saltant {name}" in (command.epilog or "")


def test_an_empty_list_says_whether_a_filter_is_the_reason() -> None:
    assert no_instances(mine=True, narrowed=True).startswith("None of yours match.")
    assert no_instances(mine=True, narrowed=False).startswith("You have none.")
    assert no_instances(mine=False, narrowed=True) == "None match."
    assert no_instances(mine=False, narrowed=False) == "There are none."
