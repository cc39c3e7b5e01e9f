"""One JSON object per line for log collectors: ``twistd --logger ocpp_tw.log.json_lines -n ocpp …``.

Knows nothing of what is logged; named fields of an event become members.
"""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TextIO

import msgspec
from twisted.logger import FileLogObserver, InvalidLogLevelError, LogEvent, LogLevel, formatEvent, formatTime

LEGACY = frozenset({"message", "time", "system", "format", "isError", "log_text", "why", "failure", "printed", "text"})
"""Members that Twisted adds for its old log system, or that ours say better."""


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
    """The observer; writes to standard output unless told otherwise."""
    return FileLogObserver(file or sys.stdout, json_line)


def literal(text: str) -> str:
    """The format of a line that is to say just this: of one that is written for each charger, formatting is the greater part."""
    return text.replace("{", "{{").replace("}", "}}")


def event_of(line: bytes, **fields: object) -> LogEvent:
    """The event that a line was made of, as far as the line tells, with these fields as well; of anything else an event that says it."""
    try:
        told = msgspec.json.decode(line)
        at = datetime.fromisoformat(told.pop("time")).timestamp()
        level = LogLevel.levelWithName(told.pop("level"))
        message, namespace = told.pop("message") or "", told.pop("logger")
    except (msgspec.MsgspecError, UnicodeError, AttributeError, KeyError, TypeError, ValueError, InvalidLogLevelError):
        return {"log_level": LogLevel.warn, "log_namespace": "-", "log_format": "{said}", "said": line.decode(errors="replace"), **fields}
    text = message if "traceback" not in told else f"{message}\n{told.pop('traceback')}"
    return {**told, "log_time": at, "log_level": level, "log_namespace": namespace, "log_format": literal(text), **fields}
