"""The report of a run."""

from __future__ import annotations

import json
from array import array

from ocpp_tw.simulator.report import Tally, lines, spread


def test_the_report_names_what_went_wrong() -> None:
    tally = Tally(chargers=2, connections=2, sent=5, received=4, commands=1, refused=1, lost=1)
    for each in range(100):
        tally.answered("Heartbeat", (each + 1) / 1000)
    tally.refused_call("Authorize", "InternalError", "")
    tally.timed_out("Heartbeat")
    tally.tags["Blocked"] += 1
    summary = json.loads(json.dumps(tally.summary(1.5)))
    assert summary["latency_ms"]["all"] == {"count": 100, "p50": 50.0, "p95": 95.0, "p99": 99.0, "max": 100.0}
    text = "\n".join(lines(summary))
    for words in ("3: ", "1 CALLERROR Authorize: InternalError", "1 unanswered Heartbeat", "1 connections refused", "1 Blocked", "1 lost"):
        assert words in text
    assert "none" in "\n".join(lines(Tally().summary(0.0))) and spread(array("d"))["max"] == 0
