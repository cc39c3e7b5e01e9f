"""What waits of a charger's messages for the next sweep, as far as it goes on from what was kept of the charger.

Knows neither what is kept nor what a sweep makes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..core.charger_events import MeterValue, StopTransaction
from ..gateway.charger import Charger


def goes_on(charger: Charger) -> bool:
    """Whether there is a reading, or the end of a transaction: how much has been delivered depends on what was known before."""
    return any(isinstance(data, MeterValue | StopTransaction) for data in _waiting(charger))


def ends(charger: Charger) -> set[int | str]:
    """The transactions whose end waits."""
    stops = [data for data in _waiting(charger) if isinstance(data, StopTransaction)]
    return {id for stop in stops for id in (stop.transaction_id, stop.matched_id) if id is not None}


def _waiting(charger: Charger) -> Iterator[Any]:
    return (data for conclusion in (charger.noted or {}).values() for _, data in conclusion.events)
