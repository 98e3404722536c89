"""Logs as events with fields: a line for people, or JSON lines for programs.

    log.warning("The disk is full", extra={"uuid": instance.uuid, "free": 0})

Every event carries the id of the request that it belongs to, and the UUID of the instance: from the field `uuid`, or
the first that its message names. Keys, JWTs and passwords are blotted out, wherever they stand.
"""

import json
import logging
import logging.config
import re
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from saltant.config import Settings

request_id: ContextVar[str] = ContextVar("saltant_request_id", default="")
"""The id of the request that is being answered; "" outside of requests."""

STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
SECRETS = re.compile(
    r"saltant_[\w-]{20,}"  # our keys
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"  # JWTs
    r"|(?<=token )[\w.~+/-]{16,}=*|(?<=bearer )[\w.~+/-]{16,}=*"  # headers
    r"|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"  # users and passwords in URLs
    # form fields, query parameters and JSON
    r"|(?<=password=)[^&\s]+|(?<=\"password\": \")(?:[^\"\\]|\\.)*|(?<='password': ')(?:[^'\\]|\\.)*",
    re.IGNORECASE,
)
HIDDEN = "[hidden]"
CONTROL = {code: repr(chr(code))[1:-1] for code in [*range(32), *range(127, 160), 0x2028, 0x2029]}


def hide_secrets(text: str) -> str:
    """`text` without what would let somebody in.

    >>> hide_secrets("Authorization: Token 0123456789abcdef0123")
    'Authorization: Token [hidden]'
    """
    return SECRETS.sub(HIDDEN, text)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """The fields of an event beside its message: those given as `extra`, the request's id and the instance's UUID."""
    given = {name: value for name, value in record.__dict__.items() if name not in STANDARD and name != "request"}
    # Django gives its events the request itself. Only its id belongs in a log.
    request = record.__dict__.get("request")
    if isinstance(request, str) or request_id.get():
        given["request"] = request if isinstance(request, str) else request_id.get()
    if "uuid" not in given and (found := UUID.search(record.getMessage())):
        given["uuid"] = found[0]
    return given


class PeopleFormatter(logging.Formatter):
    """One line: when, how grave, who says it, what, and the fields. Only tracebacks take more."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        message = record.getMessage()
        told = {name: str(value) for name, value in fields_of(record).items()}
        fields = "".join(f" {name}={value}" for name, value in told.items() if name != "uuid" or value not in message)
        # What comes from a request must not be able to look like a line of ours.
        line = f"{record.levelname:7} {record.name}: {message}{fields}".translate(CONTROL)
        text = f"{_time(record):%Y-%m-%d %H:%M:%S}.{int(record.msecs):03}Z {line}"
        trace = self._trace(record)
        return hide_secrets(f"{text}\n{trace}" if trace else text)

    def _trace(self, record: logging.LogRecord) -> str:
        parts = [self.formatException(record.exc_info)] if record.exc_info else []
        if record.stack_info:
            parts.append(self.formatStack(record.stack_info))
        return "\n".join(parts)


class JSONFormatter(PeopleFormatter):
    """One JSON object a line: `time`, `level`, `logger`, `message`, the fields, `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        event = {
            "time": _time(record).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        event = fields_of(record) | event
        if trace := self._trace(record):
            event["exception"] = trace
        hidden = {name: hide_secrets(value) if isinstance(value, str) else value for name, value in event.items()}
        first = [*("time", "level", "logger", "message"), *hidden]
        return hide_secrets(json.dumps({name: hidden[name] for name in first}, default=str))


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


FORMATTERS = {"people": PeopleFormatter, "json": JSONFormatter}


def logging_config(settings: Settings) -> dict[str, Any]:
    """What `logging.config.dictConfig`, and Django's LOGGING, take: everything goes to stderr."""
    level = settings.log_level.upper()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"chosen": {"()": FORMATTERS[settings.log_format]}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "chosen"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Refused requests are no concern of whoever keeps the server. Its own faults are errors.
            "django": {"level": "INFO" if level == "DEBUG" else "ERROR"},
            "django.security": {"level": "INFO" if level == "DEBUG" else "CRITICAL"},  # all of them refused requests
            "urllib3": {"level": "INFO"},
        },
    }


def configure(settings: Settings) -> None:
    """Set up the logging of this process."""
    logging.config.dictConfig(logging_config(settings))
