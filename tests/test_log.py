"""A line of the log is one JSON object, whatever stands in it."""

from __future__ import annotations

import io
import json

from twisted.logger import Logger, LogPublisher
from twisted.python.failure import Failure

from ocpp_tw.log import json_lines


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
