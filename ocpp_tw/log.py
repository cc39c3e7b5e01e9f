"""The logger of modules that log words of chargers and backends, which bounds what a line can say; and one JSON object per line for log collectors:
``twistd --logger ocpp_tw.log.json_lines -n ocpp …``.

Knows nothing of what is logged; the named fields of an event become members.
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any, TextIO

import msgspec
from twisted.logger import FileLogObserver, InvalidLogLevelError, LogEvent, LogLevel, formatEvent, formatTime
from twisted.logger import Logger as TwistedLogger
from twisted.python.failure import Failure

from .concealed import piece_concealed, text_concealed
from .words import shown

LEGACY = frozenset({"message", "time", "system", "format", "isError", "log_text", "why", "failure", "printed", "text"})
"""Fields that Twisted adds for its old log system, or that ours replace."""


MAX_FIELD = 500
"""Longest field of a line, in characters; the words in one have some 50."""


class Logger(TwistedLogger):
    """Twisted's, but that every field is cut and printable, and has no secret: what a charger or a backend says can neither fill the log nor
    steer the terminal on which it is read. An exception's text may have their words too.
    """

    def emit(self, level: Any, format: str | None = None, **fields: object) -> None:
        for name, value in fields.items():
            if isinstance(value, str):
                fields[name] = shown(text_concealed(value[: 4 * MAX_FIELD]), MAX_FIELD)
            elif isinstance(value, Failure):
                fields[name] = _bounded(value)
        super().emit(level, format, **fields)


def _bounded(failure: Failure) -> Failure:
    """The failure, its text cut and printable and hidden if it names a secret, with the same traceback."""
    said = failure.getErrorMessage()
    text = piece_concealed(said[: 4 * MAX_FIELD])
    if text == said and len(text) <= MAX_FIELD and all(each.isprintable() for each in text.splitlines()):
        return failure
    name = getattr(failure.type, "__name__", "")
    shortened = RuntimeError(f"{name}: {shown(text, MAX_FIELD)}")
    return Failure(shortened, None, failure.getTracebackObject())  # type: ignore[no-untyped-call]


def json_line(event: LogEvent) -> str:
    """``time``, ``level``, ``logger``, ``message``, the event's own fields, and ``traceback`` where something failed."""
    level, failure = event.get("log_level"), event.get("log_failure")
    line = {
        "time": formatTime(event.get("log_time")),
        "level": level.name if level else "info",
        "logger": event.get("log_namespace") or "-",
        "message": formatEvent(event),
    }
    line |= {name: value for name, value in event.items() if not name.startswith("log_") and name not in LEGACY}
    if failure is not None:
        line["traceback"] = failure.getTraceback()
    return msgspec.json.encode(line, enc_hook=repr).decode() + "\n"


def json_lines(file: TextIO | None = None) -> FileLogObserver:
    """The observer; writes to ``file``, by default standard output."""
    return FileLogObserver(file or sys.stdout, json_line)


def literal(text: str) -> str:
    """A log format that yields exactly this text. In a line that is logged for each charger, formatting takes most of the time."""
    return text.replace("{", "{{").replace("}", "}}")


def event_of(line: bytes, **fields: object) -> LogEvent:
    """The event that a line of `json_line` was made from, with additional ``fields``; for any other line an event with its text."""
    try:
        members = msgspec.json.decode(line)
        at = datetime.fromisoformat(members.pop("time")).timestamp()
        level = LogLevel.levelWithName(members.pop("level"))
        message, namespace = members.pop("message") or "", members.pop("logger")
    except (msgspec.MsgspecError, UnicodeError, AttributeError, KeyError, TypeError, ValueError, InvalidLogLevelError):
        return {"log_level": LogLevel.warn, "log_namespace": "-", "log_format": "{line}", "line": line.decode(errors="replace"), **fields}
    text = message if "traceback" not in members else f"{message}\n{members.pop('traceback')}"
    return {**members, "log_time": at, "log_level": level, "log_namespace": namespace, "log_format": literal(text), **fields}
