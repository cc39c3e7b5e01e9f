"""What a charger's messages leave behind for the next sweep.

Of readings no more than is looked at: all samples of a message, left to be freed with the next one, would be in no cache by then.
Knows neither what is kept of a charger nor what a sweep makes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from ..core.charger_events import MeterValue, StopTransaction
from ..core.conclusion import Conclusion
from ..facts import Value
from ..gateway.charger import Charger
from ..ocpp.meter_values import LOOKED_AT


class Readings(msgspec.Struct, gc=False):
    """Of a `MeterValue` what `ocpp_tw.monitoring.readings` reads."""

    conn: int
    transaction_id: int | str
    values: list[Value]


Noted = list[Any]
"""What one message left behind: the data of its events, with `Readings` for each `MeterValue`."""


def of(conclusion: Conclusion, before: Noted | None = None) -> Noted:
    """What to note of a message, in place of what is noted of one ``before`` it: what that one has measured and this one has not is noted on."""
    noted: Noted = [
        Readings(data.conn, data.transaction_id, conclusion.looked_at) if type(data) is MeterValue else data
        for _, data in conclusion.events
    ]
    if before is not None:
        _keep_other_measurands(noted, before)
    return noted


def _keep_other_measurands(noted: Noted, before: Noted) -> None:
    """Some chargers send each of their measurands in a message of its own."""
    for data in noted:
        if type(data) is Readings:
            told = {each.measurand for each in data.values}
            if len(told) < len(LOOKED_AT):
                others = [each for earlier in before if type(earlier) is Readings for each in earlier.values if each.measurand not in told]
                data.values = [*others, *data.values]


def goes_on(charger: Charger) -> bool:
    """Whether there is a reading, or the end of a transaction: how much has been delivered depends on what was known before."""
    return any(isinstance(data, Readings | StopTransaction) for data in _waiting(charger))


def ends(charger: Charger) -> set[int | str]:
    """The transactions whose end waits."""
    stops = [data for data in _waiting(charger) if isinstance(data, StopTransaction)]
    return {id for stop in stops for id in (stop.transaction_id, stop.matched_id) if id is not None}


def _waiting(charger: Charger) -> Iterator[Any]:
    return (data for noted in (charger.noted or {}).values() for data in noted)
