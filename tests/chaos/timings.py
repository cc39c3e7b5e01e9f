"""How long it took where only one thing was ill: a start while the backend failed, and Valkey's return until events went on.

Knows nothing of what was right or wrong.
"""

from __future__ import annotations

from bisect import bisect_left

from chaos.house import House
from chaos.schedule import Schedule

AFTER = 2.0
"""Seconds after which a fault that was healed bothers nobody any more."""


def told(house: House, schedule: Schedule) -> str:
    """Both in one line."""
    starts, returns = slow_starts(house, schedule), resumptions(house, schedule)
    slowest = f"{max(starts):.2f} s (of {len(starts)})" if starts else "not measured"
    latest = f"{max(returns):.2f} s (of {len(returns)})" if returns else "not measured"
    return f"slowest start while only the backend failed: {slowest}; events went on after Valkey's return within {latest}"


def slow_starts(house: House, schedule: Schedule) -> list[float]:
    """Seconds from each start to its answer while the backend failed and all else was well."""
    found = []
    for message in house.ledger.messages:
        if not message.starts and message.payload.get("eventType") != "Started":
            continue
        for sending in message.sendings:
            if sending.answered:
                held = schedule.between(sending.at - AFTER, sending.answered)
                if any(each.fault.lane == "backend" for each in held) and all(each.fault.lane == "backend" for each in held):
                    found.append(sending.answered - sending.at)
    return found


def resumptions(house: House, schedule: Schedule) -> list[float]:
    """Seconds from when a Valkey that had been away listened again until a consumer saw the next event, where nothing else was ill."""
    came = house.reader.came
    found = []
    for planned in schedule.lanes.get("valkey", ()):
        if planned.fault.number in ("F1", "F2") and planned.healed:
            place = bisect_left(came, planned.healed)
            if place == len(came):
                continue
            others = [each for each in schedule.between(planned.healed - 0.5, came[place]) if each is not planned]
            if all(each.fault.lane in ("backend", "chargers") for each in others):
                found.append(came[place] - planned.healed)
    return found
