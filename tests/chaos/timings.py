"""Latencies while only one part failed: of a start while the backend failed, and from Valkey's return until events resumed.

Knows nothing of violations.
"""

from __future__ import annotations

from bisect import bisect_left

from chaos.schedule import Schedule
from chaos.system_under_test import SystemUnderTest

FAULT_AFTERMATH = 2.0
"""Seconds after which a healed fault has no effect any more."""


def summary(system: SystemUnderTest, schedule: Schedule) -> str:
    """Both latencies in one line."""
    starts, returns = slow_starts(system, schedule), resumptions(system, schedule)
    slowest = f"{max(starts):.2f} s (of {len(starts)})" if starts else "not measured"
    latest = f"{max(returns):.2f} s (of {len(returns)})" if returns else "not measured"
    return f"slowest start while only the backend failed: {slowest}; events resumed after Valkey's return within {latest}"


def slow_starts(system: SystemUnderTest, schedule: Schedule) -> list[float]:
    """Seconds from each start to its answer while only the backend failed."""
    latencies = []
    for message in system.ledger.messages:
        if not message.starts_transaction and message.payload.get("eventType") != "Started":
            continue
        for sending in message.sendings:
            if sending.answered:
                active = schedule.between(sending.at - FAULT_AFTERMATH, sending.answered)
                if active and all(each.fault.lane == "backend" for each in active):
                    latencies.append(sending.answered - sending.at)
    return latencies


def resumptions(system: SystemUnderTest, schedule: Schedule) -> list[float]:
    """Seconds from when a restarted Valkey listened again until a consumer read the next event, while nothing else failed."""
    seen_at = system.reader.seen_at
    found = []
    for planned in schedule.lanes.get("valkey", ()):
        if planned.fault.number in ("F1", "F2") and planned.healed:
            place = bisect_left(seen_at, planned.healed)
            if place == len(seen_at):
                continue
            others = [each for each in schedule.between(planned.healed - 0.5, seen_at[place]) if each is not planned]
            if all(each.fault.lane in ("backend", "chargers") for each in others):
                found.append(seen_at[place] - planned.healed)
    return found
