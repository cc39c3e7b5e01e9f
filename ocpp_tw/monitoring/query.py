"""Which chargers are asked for, in which order: what a filter lets through, and how rows of several gateways become one page.

Knows neither chargers nor how gateways are asked.
"""

from __future__ import annotations

from operator import itemgetter
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args

import msgspec

from ..core.event import one_of

MAX_LIMIT = 1000
"""Most rows of a page."""

MAX_OFFSET = 200_000
"""How far behind the first row a page may begin."""

MAX_SEARCH = 200
"""Longest text that is searched for, in characters."""

COLUMNS = (
    "id", "state", "since", "gateway", "ocpp", "vendor", "model", "firmware", "serial", "remote_address", "security_profile", "registration",
    "violations", "power_w", "energy_wh", "transactions", "last_message",
)  # fmt: skip
"""What rows can be sorted by."""

State = Literal["away", "unresponsive", "silent", "faulted", "charging", "online"]
"""The states of chargers: the first that applies is a charger's; in this order they are sorted."""

STATES: tuple[State, ...] = get_args(State)

RANKS: dict[str, int] = {state: rank for rank, state in enumerate(STATES)}

R = TypeVar("R")


class ChargersFilter(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which chargers; what is empty asks for nothing. What may have several values may be a text with commas between them."""

    search: Annotated[str, msgspec.Meta(max_length=MAX_SEARCH)] = ""
    """what is in their identity, vendor, model, firmware version, serial number or address"""
    state: list[State] | str = []
    """their state is one of these"""
    ocpp: list[str] | str = []
    """they speak one of these versions"""
    model: list[str] | str = []
    """their model is one of these"""
    firmware: list[str] | str = []
    """their firmware version is one of these"""
    gateway: list[str] | str = []
    """they are connected to one of these gateways, or were last"""
    violations: bool = False
    """true: only those whose messages have broken their schema"""

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


class ChargersPageQuery(ChargersFilter, frozen=True, omit_defaults=True):
    """Which chargers, in which order, and which of them."""

    sort: Annotated[str, one_of([*COLUMNS, *(f"-{each}" for each in COLUMNS)])] = "id"
    """the member of a row that sorts them, with a minus before it to begin with the greatest; those without a value come last"""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_LIMIT)] = 100
    """at most so many rows"""
    offset: Annotated[int, msgspec.Meta(ge=0, le=MAX_OFFSET)] = 0
    """so many rows are before the first one"""


class ChargersQuery(ChargersPageQuery, frozen=True, omit_defaults=True):
    """As gateways ask each other: lists are lists. ``full`` is False if rows are told by their id and what sorts them only."""

    limit: int = 100
    full: bool = True

    @property
    def column(self) -> str:
        """What it is sorted by."""
        return self.sort.removeprefix("-")

    @property
    def descending(self) -> bool:
        """Whether the greatest come first."""
        return self.sort.startswith("-")

    @property
    def want(self) -> int:
        """How many rows each gateway has to tell."""
        return self.offset + self.limit


Place = tuple[bool, Any, str]
"""A charger's place among others: whether it comes first whatever its value, what sorts it, and its id."""


def place(column: str, descending: bool, value: Any, id: str) -> Place:
    """The place of a charger with this value; one without a value comes last in either direction."""
    if value is None or value == "":
        return not descending, 0, id
    if column == "state":
        value = RANKS[value]
    elif isinstance(value, str):
        value = value.casefold()
    return descending, value, id


class First(Generic[R]):
    """The first so many of what is added, in their order. They are sorted some at a time, and what cannot be among them is left out as early as
    that is known: to sort all at the end would take long, and so would it to keep them in order all the while."""

    def __init__(self, query: ChargersQuery) -> None:
        self._count = query.want
        self._descending = query.descending
        self._kept: list[tuple[Place, R]] = []
        self._new: list[tuple[Place, R]] = []
        self._last: Place | None = None

    def add(self, some: list[tuple[Place, R]]) -> None:
        """Some more."""
        last = self._last
        if last is not None:
            some = [each for each in some if each[0] > last] if self._descending else [each for each in some if each[0] < last]
        self._new += some
        if len(self._new) >= RUN:
            self._new.sort(key=_place, reverse=self._descending)
            self._kept += self._new
            self._new = []
            if len(self._kept) >= 2 * self._count:
                self.sort()

    @property
    def many(self) -> bool:
        """Whether `sort` takes a turn of the reactor of its own."""
        return len(self._kept) > 2 * RUN

    def sort(self) -> list[tuple[Place, R]]:
        """Those that are the first by now."""
        kept = self._kept
        kept += self._new
        self._new = []
        kept.sort(key=_place, reverse=self._descending)  # of runs that are in order, which is quick
        del kept[self._count :]
        if len(kept) == self._count:
            self._last = kept[-1][0]
        return kept


_place = itemgetter(0)

RUN = 1000
"""How many are sorted at a time."""
