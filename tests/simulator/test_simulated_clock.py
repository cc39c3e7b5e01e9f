"""Simulated time and timestamps."""

from __future__ import annotations

from twisted.internet.task import Clock

from ocpp_tw.simulator.simulated_clock import SimulatedClock, parse_timestamp
from simulator.central import START


def test_timestamps_are_parsed_in_every_form() -> None:
    assert parse_timestamp("2026-11-23T08:00:00Z") == parse_timestamp("2026-11-23T09:00:00+01:00") == parse_timestamp("2026-11-23T08:00:00")
    assert parse_timestamp("soon") is None and parse_timestamp(7) is None


def test_the_simulated_time_is_written_in_utc_with_milliseconds() -> None:
    assert SimulatedClock(Clock(), 1, START).timestamp() == "2026-09-21T14:13:20.000Z"
