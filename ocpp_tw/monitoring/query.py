"""Which chargers are asked for, in which order: what a filter lets through, and how rows of several gateways become one page.

Knows neither chargers nor how gateways are asked.
"""

from __future__ import annotations

from heapq import nlargest, nsmallest
from typing import Any, NamedTuple, TypeVar

import msgspec

MAX_LIMIT = 1000
"""Most rows of a page."""

MAX_OFFSET = 200_000
"""How far behind the first row a page may begin."""

COLUMNS = (
    "id", "state", "since", "gateway", "ocpp", "vendor", "model", "firmware", "serial", "remote_address", "security_profile", "registration",
    "violations", "power_w", "energy_wh", "transactions", "last_message",
)  # fmt: skip
"""What rows can be sorted by."""

R = TypeVar("R")


class ChargersQuery(msgspec.Struct, frozen=True, omit_defaults=True):
    """Empty members ask for nothing. ``sort`` is a column, with a minus before it to begin with the greatest. ``full`` is False if rows are
    told by their id and what sorts them only."""

    search: str = ""
    state: list[str] = []
    ocpp: list[str] = []
    model: list[str] = []
    firmware: list[str] = []
    gateway: list[str] = []
    violations: bool = False
    sort: str = "id"
    limit: int = 100
    offset: int = 0
    full: bool = True

    @property
    def column(self) -> str:
        """What it is sorted by."""
        return self.sort.removeprefix("-")

    @property
    def want(self) -> int:
        """How many rows each gateway has to tell."""
        return self.offset + self.limit

    def lets_through(self, id: str, ocpp: Any, model: tuple[Any, Any, Any], others: tuple[Any, ...], violations: int) -> bool:
        """Whether a charger is asked for, whatever its state and its gateway; ``model`` is its vendor, model and firmware, ``others`` what is
        searched beside that."""
        if self.violations and not violations:
            return False
        if (self.ocpp and ocpp not in self.ocpp) or (self.model and model[1] not in self.model):
            return False
        if self.firmware and model[2] not in self.firmware:
            return False
        if not self.search:
            return True
        text = self.search.casefold()
        return text in id.casefold() or any(text in each.casefold() for each in (*model, *others) if each)


class Placed(NamedTuple):
    """A charger's place among others: what sorts it (`ocpp_tw.monitoring.rows.sort_key`), and its id."""

    missing: bool
    key: Any
    id: str


def first(found: list[tuple[Placed, R]], count: int, sort: str) -> list[tuple[Placed, R]]:
    """The first so many of them in their order; what is missing comes last in any."""
    if not sort.startswith("-"):
        return nsmallest(count, found, key=lambda item: item[0])
    return nlargest(count, found, key=lambda item: (not item[0].missing, item[0].key, item[0].id))
