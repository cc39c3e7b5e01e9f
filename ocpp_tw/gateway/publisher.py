"""Publishes the gateway's own events: what no message of a charger's comes to.

Knows neither why an event is published nor how it becomes durable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from ..core import history
from ..core.entries import Effect, Entry, Orphan, Orphaned
from ..core.event import Data, Event, encode
from ..core.gateway_events import DisconnectCharger
from ..core.ledger import Ledger
from ..core.stamps import Stamps
from ..interfaces import IEvents
from .counts import Counts


class Subject(Protocol):
    """The connected charger that an event is about."""

    id: str
    domain: str
    ocpp: str


class Departing(Subject, Protocol):
    """The connected charger that disconnects; ``model`` is its vendor, model and firmware, ``state`` what operators are shown of it."""

    model: tuple[str | None, str | None, str | None]
    serial: str
    ledger: Ledger | None
    state: Any


class Publisher:
    """One for a gateway, whose name is ``gateway``; ``counts`` is what it counts.

    ``on_away`` is called with each charger that is published as disconnected, and what is kept of the end of its connection.
    """

    def __init__(self, gateway: str, stamps: Stamps, store: IEvents, counts: Counts | None = None) -> None:
        self.gateway = gateway
        self.counts = counts or Counts()
        self.on_away: Callable[[Departing, bytes], None] = lambda charger, kept: None
        self._stamps = stamps
        self._events = store

    @property
    def overloaded(self) -> bool:
        """Whether no more work should be accepted, since events can be made durable nowhere."""
        return self._events.overloaded

    @property
    def away(self) -> bool:
        """Whether what is published now may be known at this gateway only for a while; see `IEvents`."""
        return self._events.away

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
        now = self._stamps.now()
        self.counts.events[name] += 1
        event = Event(name, domain, data, self._stamps.id(), now, self.gateway, ocpp)
        effects = (*effects, *history.troubles(name, data, now, self.gateway))
        self._events.publish(Entry(charger, encode(event), effects), then)

    def departed(self, charger: Departing, data: DisconnectCharger, effects: tuple[Effect, ...] = ()) -> None:
        """Publish that a charger has disconnected: it is away."""
        known = (*charger.model, charger.serial or None)
        away = history.away(charger.id, self._stamps.now(), self.gateway, charger.ocpp, known, data)
        self.publish_about(charger.id, charger.domain, "disconnect_charger", data, charger.ocpp, (*effects, away))
        self.on_away(charger, away.value or b"")

    def orphaned(self, orphan: Orphan, data: DisconnectCharger, then: Callable[[Any], None] | None) -> None:
        """The same of a charger whose gateway is gone, unless that has been published or the charger is back."""
        away = history.away(orphan.charger, self._stamps.now(), orphan.gateway, orphan.ocpp, orphan.known, data)
        effects = (Orphaned(orphan.gateway, orphan.held), away)
        self.publish_about(orphan.charger, orphan.domain, "disconnect_charger", data, orphan.ocpp, effects, then)

    def durable(self, charger: str, effects: tuple[Effect, ...]) -> Deferred[None]:
        """Carry out effects; fires once they are durable. Whoever waits no longer may cancel it: they are carried out all the same."""
        done: Deferred[None] = Deferred()
        self.carry_out(charger, effects, lambda _: None if done.called else done.callback(None))
        return done

    def carry_out(self, charger: str, effects: tuple[Effect, ...], then: Callable[[Any], None] | None = None) -> None:
        """Carry out effects that belong to no event; ``then`` is called once they are durable."""
        self._events.publish(Entry(charger, effects=effects), then)
