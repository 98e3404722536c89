"""From an error to one sentence and an exit code.

0  done
1  something else; with `run` and `exec`: whatever the job itself returned
2  usage: the command line, a file, or the configuration makes no sense
3  not found
4  authentication: the server does not accept the token
5  refused: the server understood, and says no
6  the server or the network failed
124  a wait took longer than its --timeout
130  Ctrl-C
"""

import errno
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import click

from saltant import exceptions
from saltant.cli.rows import clean

OTHER, USAGE, NOT_FOUND, AUTHENTICATION, REFUSED, SERVER, TIMEOUT, INTERRUPTED = 1, 2, 3, 4, 5, 6, 124, 130

CODES: tuple[tuple[type[BaseException], int], ...] = (
    (exceptions.BadEnvironmentError, USAGE),
    (exceptions.NotFound, NOT_FOUND),
    (exceptions.AuthenticationError, AUTHENTICATION),
    (exceptions.BadRequest, REFUSED),
    (exceptions.PermissionDenied, REFUSED),
    (exceptions.Conflict, REFUSED),
    (exceptions.UnsupportedByServer, REFUSED),
    (exceptions.ResultRefused, REFUSED),
    (exceptions.ChecksumMismatch, SERVER),
    (exceptions.BadHttpRequestError, SERVER),
    (exceptions.WaitTimeout, TIMEOUT),
    (exceptions.TaskFailed, OTHER),
    (ValueError, USAGE),  # the SDK's word for an argument that makes no sense
)
"""The first that fits."""


class Failure(click.ClickException):
    """A sentence and an exit code of a command's own choice."""

    def __init__(self, message: str, exit_code: int = OTHER) -> None:
        super().__init__(message)
        self.__dict__["exit_code"] = exit_code  # a class variable of click's


def code_of(error: BaseException) -> int:
    """The exit code of an error; of some failures among many, what they share, or else the first one's."""
    if isinstance(error, exceptions.PartialFailure) and error.failed:
        return code_of(next(iter(error.failed.values())))
    return next((code for kind, code in CODES if isinstance(error, kind)), OTHER)


def sentence(error: BaseException) -> str:
    """What went wrong and what to do, for people. One line, whatever the server said."""
    if isinstance(error, exceptions.AuthenticationError):
        return (
            f"The server does not accept the token ({_said(error).rstrip('.')}): it may be mistyped, revoked, expired, "
            "or of another server. Sign in with `saltant login`, or set SALTANT_AUTH_TOKEN."
        )
    if isinstance(error, (exceptions.BadRequest, exceptions.PermissionDenied, exceptions.Conflict)) and _said(error):
        return f"The server refuses it: {_said(error)}"
    if isinstance(error, OSError) and not isinstance(error, exceptions.SaltantError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    told = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, exceptions.NotFound) and error.url and "base URL" not in told:
        if _said(error) not in ("", "Not found."):
            return _said(error)
        # Commands tell of a thing that is missing themselves. What is left is likely no path of an API.
        told = f"{told.rstrip('.')}. Check the base URL, which usually ends in /api/."
    return told


def _said(error: exceptions.BadHttpRequestError) -> str:
    """What the server says, without what was called."""
    fields = [
        " ".join(told) if name == "non_field_errors" else f"{name}: {' '.join(told)}"
        for name, told in error.field_errors.items()
    ]
    return " ".join((error.detail or "; ".join(fields)).split())


@contextmanager
def told(debug: bool = False) -> Iterator[None]:
    """End with a sentence and an exit code, whatever happens within. `debug` shows the traceback as well."""
    try:
        yield
    except (click.exceptions.Exit, click.UsageError):
        raise
    except (KeyboardInterrupt, click.Abort):
        if debug:
            traceback.print_exc()
        click.echo("Interrupted.", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.EPIPE:
            raise  # the reader has left, as `head` does: click ends it without a word
        if debug:
            traceback.print_exc()
        if isinstance(error, click.ClickException):
            raise
        raise Failure(clean(_known(error)), code_of(error)) from None


def _known(error: Exception) -> str:
    known = isinstance(error, (exceptions.SaltantError, ValueError, OSError))
    if known or "--debug" in sys.argv:
        return sentence(error)
    return f"Something unforeseen: {type(error).__name__}: {sentence(error)} (--debug shows where; please report it)"
