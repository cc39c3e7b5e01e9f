"""The courses of transactions that were running when their charger left this gateway, for whoever looks at that charger while it is away.

Knows neither where the charger is now nor who asks.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from ..gateway.charger import Charger
from .curve import Curve

KEPT_FOR = 86400.0
"""Seconds for which they are kept."""

MAX_CHARGERS = 10_000
"""Most chargers of which they are kept; of more those that left first are forgotten."""


class LastCurves:
    """One for a gateway; ``seconds`` is its clock."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._left: OrderedDict[str, tuple[float, list[tuple[int | str, Curve]]]] = OrderedDict()

    def departed(self, charger: Charger) -> None:
        """A charger has left this gateway."""
        self._left.pop(charger.id, None)
        running = charger.state.running if charger.state is not None else ()
        if running:
            self._left[charger.id] = self._seconds(), [(each.id, each.curve) for each in running]
        while self._left and (len(self._left) > MAX_CHARGERS or self._is_old(next(iter(self._left)))):
            self._left.popitem(last=False)

    def arrived(self, charger: Charger) -> None:
        """It is here: its state has them."""
        self._left.pop(charger.id, None)

    def of(self, id: str) -> list[tuple[int | str, list[list[float | None]]]]:
        """Those of a charger, by the ids of its transactions; none if it has not left this gateway, or long ago."""
        if id not in self._left or self._is_old(id):
            return []
        return [(transaction, curve.samples()) for transaction, curve in self._left[id][1]]

    def _is_old(self, id: str) -> bool:
        return self._left[id][0] < self._seconds() - KEPT_FOR
