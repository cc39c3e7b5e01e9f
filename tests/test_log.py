"""A line of the log is one JSON object, whatever stands in it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from twisted.logger import Logger, LogLevel, LogPublisher, formatEvent
from twisted.python.failure import Failure

import ocpp_tw
from ocpp_tw.log import Logger as BoundedLogger
from ocpp_tw.log import event_of, json_line, json_lines, literal


def lines(tell):
    out, publisher = io.StringIO(), LogPublisher()
    publisher.addObserver(json_lines(out))
    tell(Logger("ocpp_tw.test", observer=publisher))
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_named_fields_are_members():
    (line,) = lines(lambda log: log.info("{charger} left", charger="cp1", seconds=3))
    assert line.pop("time")
    assert line == {"level": "info", "logger": "ocpp_tw.test", "message": "cp1 left", "charger": "cp1", "seconds": 3}


def test_what_a_charger_says_cannot_forge_a_line():
    """A15: CR, LF and ANSI in an identity."""
    (line,) = lines(lambda log: log.warn("{charger} was refused", charger='x\r\n{"level":"info"}\u001b[2J'))
    assert line["charger"] == 'x\r\n{"level":"info"}\u001b[2J'


def test_a_failure_brings_its_traceback():
    def tell(log):
        try:
            raise RuntimeError("bug")
        except RuntimeError:
            log.failure("it failed", Failure())

    (line,) = lines(tell)
    assert line["level"] == "critical" and "RuntimeError: bug" in line["traceback"]


def test_any_object_can_stand_in_it():
    (line,) = lines(lambda log: log.info("odd", thing=object()))
    assert line["thing"].startswith("<object")


def test_a_line_can_be_told_again_by_another_process():
    line = json.dumps(lines(lambda log: log.warn("{charger} has {{braces}}", charger="{cp1}", seconds=3))[0]).encode()
    event = event_of(line, worker="gw-1")
    assert formatEvent(event) == "{cp1} has {braces}"
    assert (event["log_level"], event["log_namespace"], event["seconds"], event["worker"]) == (LogLevel.warn, "ocpp_tw.test", 3, "gw-1")
    assert json.loads(json_line(event)) == {**json.loads(line), "worker": "gw-1"}


def test_a_traceback_told_again_is_in_the_text():
    def tell(log):
        try:
            raise RuntimeError("bug")
        except RuntimeError:
            log.failure("it failed", Failure())

    event = event_of(json.dumps(lines(tell)[0]).encode())
    assert formatEvent(event).startswith("it failed\n") and "RuntimeError: bug" in formatEvent(event)


@pytest.mark.parametrize(
    "line", [b"Fatal Python error", b"{}", b"[]", b"3", b"\xff{x}", b'{"time": 1, "level": "info"}', b'{"time": "now", "level": "x"}']
)
def test_what_is_no_line_of_ours_is_told_as_it_is(line):
    event = event_of(line, worker="gw-1")
    assert formatEvent(event) == line.decode(errors="replace") and event["worker"] == "gw-1" and event["log_level"] is LogLevel.warn


@pytest.mark.parametrize("text", ["cp1 left", "{cp1} left {0} {}", "}{", "{{cp1}}"])
def test_a_literal_line_says_just_what_it_is(text):
    assert formatEvent({"log_format": literal(text)}) == text


# what chargers and backends say in a line


def told(tell):
    """The fields and the text of the one line that our logger makes."""
    seen = []
    publisher = LogPublisher()
    publisher.addObserver(seen.append)
    tell(BoundedLogger("ocpp_tw.test", observer=publisher))
    (event,) = seen
    return event


def test_a_field_is_cut_and_printable():
    event = told(lambda log: log.warn("{action} of {charger}", action="a\x1b[2J\r\n\u202e" + "x" * 1_000_000, charger="cp1"))
    text = formatEvent(event)
    assert text.startswith("a\\x1b[2J\\r\\n\\u202ex") and text.endswith("x… of cp1") and len(text) < 600


def test_the_text_of_an_exception_is_cut_and_its_traceback_stays():
    def tell(log):
        try:
            raise ValueError("bad data \x1b" + "x" * 1_000_000)
        except ValueError:
            log.failure("it failed")

    line = json_line(told(tell))
    assert len(line) < 3000 and "ValueError: bad data \\\\x1bx" in line and "in tell" in line


def test_every_module_that_logs_words_of_others_bounds_them():
    """All but those that only tell of our own programs and files."""
    root = Path(ocpp_tw.__file__).parent
    unbounded = {
        file.relative_to(root).parts[0] for file in root.rglob("*.py") if "from twisted.logger import Logger\n" in file.read_text()
    }
    assert unbounded <= {"process", "spool", "simulator"}
