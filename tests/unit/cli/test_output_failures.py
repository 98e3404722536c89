"""From errors to sentences and exit codes."""

import os
import signal
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from saltant import exceptions
from saltant._http_errors import error_for_answer
from saltant.cli.common import Context, client_command
from saltant.cli.failures import Failure, code_of, sentence

URL = "http://host/api/taskqueues/"


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (error_for_answer(401, '{"detail": "Invalid token."}', URL), 4, "does not accept the token (Invalid token)"),
        (error_for_answer(403, '{"detail": "Not yours."}', URL), 5, "The server refuses it: Not yours."),
        (error_for_answer(400, '{"name": ["Bad.", "Long."], "a": ["x"]}', URL), 5, "name: Bad. Long.; a: x"),
        (error_for_answer(400, '{"non_field_errors": ["No\\n\\twhitelist."]}', URL), 5, "it: No whitelist."),
        (error_for_answer(409, '{"detail": "Not now.", "state": "failed"}', URL), 5, "Not now."),
        (error_for_answer(404, '{"detail": "Not found."}', URL), 3, "Check the base URL"),
        (error_for_answer(404, '{"detail": "It has no such part."}', URL), 3, "Error: It has no such part."),
        (error_for_answer(502, "<title>Bad gateway</title>", URL), 6, "Bad gateway"),
        (error_for_answer(429, "", URL), 6, "429"),
        (exceptions.ConnectionFailed("It broke."), 6, "It broke."),
        (exceptions.BadEnvironmentError("Set it."), 2, "Set it."),
        (exceptions.WaitTimeout("Too long."), 124, "Too long."),
        (exceptions.UnsupportedByServer("Too old."), 5, "Too old."),
        (exceptions.PartialFailure("One failed.", failed={"u": error_for_answer(404, "{}", URL)}), 3, "One failed."),
        (ValueError("No number."), 2, "No number."),
        (FileNotFoundError(2, "No such file or directory", "x.json"), 1, "x.json: No such file or directory."),
        (Failure("Mine.", 7), 7, "Mine."),
    ],
)
def test_each_error_has_a_sentence_and_a_code(error: Exception, code: int, said: str) -> None:
    @client_command()
    def command(context: Context) -> None:
        raise error

    run = CliRunner().invoke(command)
    assert run.exit_code == code
    (line,) = run.stderr.splitlines()
    assert line.startswith("Error: ")
    assert said in line
    assert run.stdout == ""
    shown = CliRunner().invoke(command, ["--debug"])
    assert shown.exit_code == code
    assert "Traceback" in shown.stderr


def test_what_is_unforeseen_is_no_traceback_either() -> None:
    @client_command()
    def command(context: Context) -> None:
        raise KeyError("\x1b[2J")

    run = CliRunner().invoke(command)
    assert run.exit_code == 1
    assert "\x1b" not in run.stderr
    assert "--debug shows where" in run.stderr
    assert "Traceback" not in run.stderr


def test_usage_errors_and_exits_are_clicks_own() -> None:
    @client_command()
    @click.argument("code", type=int)
    def command(context: Context, code: int) -> None:
        click.get_current_context().exit(code)

    assert CliRunner().invoke(command, ["17"]).exit_code == 17
    wrong = CliRunner().invoke(command, ["x"])
    assert wrong.exit_code == 2
    assert "Usage:" in wrong.stderr


def test_a_code_is_that_of_the_first_that_fits() -> None:
    assert code_of(exceptions.RequestTimeout()) == 6
    assert sentence(KeyError()) == "KeyError"


def test_ctrl_c_is_130() -> None:
    code = """
import sys
from saltant.cli.common import client_command
@client_command()
def command(context):
    print("ready", flush=True)
    sys.stdin.read()
command()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.kill(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert (process.returncode, told.strip()) == (130, "Interrupted.")
