"""Publishes the gateway's own events: what no message of a charger's comes to.

Knows neither why an event is published nor how it becomes durable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from ..core.entries import Effect, Entry
from ..core.event import Data, Event, encode
from ..core.stamps import Stamps
from ..interfaces import IEvents


class Subject(Protocol):
    """The connected charger that an event is about."""

    id: str
    domain: str
    ocpp: str


class Publisher:
    """One for a gateway, whose name is ``gateway``."""

    def __init__(self, gateway: str, stamps: Stamps, store: IEvents) -> None:
        self.gateway = gateway
        self._stamps = stamps
        self._events = store

    @property
    def overloaded(self) -> bool:
        """Whether no more work should be accepted, since events can be made durable nowhere."""
        return self._events.overloaded

    def publish(self, charger: Subject, name: str, data: Data, effects: tuple[Effect, ...] = ()) -> None:
        """Publish an event about a connected charger, with its effects."""
        self.publish_about(charger.id, charger.domain, name, data, charger.ocpp, effects)

    def publish_about(
        self,
        charger: str,
        domain: str,
        name: str,
        data: Data,
        ocpp: str | None = None,
        effects: tuple[Effect, ...] = (),
        then: Callable[[Any], None] | None = None,
    ) -> None:
        """The same about a charger that may not be connected; ``then`` is called once the event is durable."""
        event = Event(name, domain, data, self._stamps.id(), self._stamps.now(), self.gateway, ocpp)
        self._events.publish(Entry(charger, encode(event), effects), then)

    def carry_out(self, charger: str, effects: tuple[Effect, ...], then: Callable[[Any], None] | None = None) -> None:
        """Carry out effects that belong to no event; ``then`` is called once they are durable."""
        self._events.publish(Entry(charger, effects=effects), then)
