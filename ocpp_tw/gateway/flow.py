"""How much of what chargers have sent is not durable yet: for each charger, and of all of them together.

A charger with too much of it is not read from until some of it is answered. Its queue is not dropped: it stays where it is, with the charger.
Knows neither sockets nor what a message says.
"""

from __future__ import annotations

from typing import Protocol

from ..interfaces import IEvents, IWire

UNANSWERED = 32
"""Messages of a charger that may be unanswered at a time: being decided, waiting for that, or for their events to be durable. A charger that
conforms never has more than one (OCPP-J 1.6 §4.1.1)."""

UNANSWERED_UNDER_STRAIN = 1
"""The same while Redis is behind, of a charger that does not wait for its answers: who sends much waits first."""

UNIT = 8192
"""A message counts once for each so many bytes, begun or whole."""

MAX_IN_SERVICE = 4 << 20
"""Most bytes of long messages, of all chargers, that are being decided or wait for that: decoded they take many times as much."""

MAX_WAITING = 1 << 20
"""Bytes of events that are not durable yet, of all chargers, beyond which no large message is processed."""

ANSWERS, BUDGET = 1, 2
"""Why a charger is held: too much of it is unanswered, or it has sent more than its budget."""


class Load:
    """What all chargers together have sent in long messages, as far as it is decided yet or not. One for a gateway."""

    def __init__(self, events: IEvents) -> None:
        self._events = events
        self.in_service = 0

    @property
    def limit(self) -> int:
        """How many messages of a charger may be unanswered."""
        return UNANSWERED_UNDER_STRAIN if self._events.strained else UNANSWERED

    def has_room(self, size: int, may_wait: bool) -> bool:
        """Whether a large message of so many bytes may be processed now; alone it always may, and one that has waited may as soon as it fits."""
        fits = not self.in_service or self.in_service + size <= MAX_IN_SERVICE
        return fits and (not may_wait or self._events.waiting_bytes <= MAX_WAITING)


class Held(Protocol):
    """A charger that may be held."""

    unanswered: int
    wire: IWire


class Flow:
    """One charger's, made when it first sends a long message or a second one before the first is answered."""

    __slots__ = ("_extra", "_held", "_load", "_sizes")

    def __init__(self, load: Load) -> None:
        self._load = load
        self._held = 0
        self._extra: dict[str | int | None, int] = {}
        self._sizes: dict[str | int | None, int] = {}

    def weigh(self, charger: Held, id: str | int | None, size: int) -> None:
        """A message of more than a `UNIT` has come."""
        extra = size // UNIT
        charger.unanswered += extra
        self._extra[id] = self._extra.get(id, 0) + extra
        self._sizes[id] = self._sizes.get(id, 0) + size
        self._load.in_service += size

    def decided(self, id: str | int | None) -> None:
        """What the message comes to is with the events; or the message is dropped."""
        self._load.in_service -= self._sizes.pop(id, 0)

    def received(self, charger: Held) -> None:
        """A message has come."""
        if charger.unanswered >= self._load.limit:
            self.hold(charger, ANSWERS, True)

    def answered(self, charger: Held, id: str | int | None) -> None:
        """A message was answered."""
        if self._extra:
            charger.unanswered -= self._extra.pop(id, 0)
        if self._held & ANSWERS and charger.unanswered <= self._load.limit // 2:
            self.hold(charger, ANSWERS, False)

    def hold(self, charger: Held, why: int, held: bool) -> None:
        """Begin or end a reason not to read from the charger."""
        before = self._held
        self._held = before | why if held else before & ~why
        if bool(before) != bool(self._held):
            charger.wire.hold(held)
